package memstore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"ace/shared/archive"
)

// Presign implements archive.Store. A link is not signed and stays valid until the test
// ends.
func (s *Store) Presign(ctx context.Context, key, disposition string, valid time.Duration) (string, error) {
	return s.link(ctx, key, url.Values{"disposition": {disposition}}, valid)
}

// PresignPut implements archive.Store. A link is not signed and stays valid until the
// test ends.
func (s *Store) PresignPut(ctx context.Context, key string, valid time.Duration) (string, error) {
	return s.link(ctx, key, url.Values{}, valid)
}

// link returns an address on the store's own loopback server, which the first call of
// link starts.
func (s *Store) link(ctx context.Context, key string, query url.Values, valid time.Duration) (string, error) {
	if err := archive.CheckValid(valid); err != nil {
		return "", err
	}
	if err := ended(ctx, "cannot sign a link for", key); err != nil {
		return "", err
	}
	s.serve.Do(func() {
		s.links = httptest.NewServer(http.HandlerFunc(s.follow))
		s.tb.Cleanup(s.links.Close)
	})
	address := url.URL{Scheme: "http", Host: s.links.Listener.Addr().String(), Path: "/" + key, RawQuery: query.Encode()}
	return address.String(), nil
}

// follow answers a request for a link.
func (s *Store) follow(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/")
	var err error
	if r.Method == http.MethodPut {
		err = s.upload(r, key)
	} else {
		err = s.download(w, r, key)
	}
	switch {
	case errors.Is(err, archive.ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *Store) upload(r *http.Request, key string) error {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	_, err = s.Put(r.Context(), key, r.Header.Get("Content-Type"), content)
	return err
}

func (s *Store) download(w http.ResponseWriter, r *http.Request, key string) error {
	object, err := s.Get(r.Context(), key)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", object.ContentType)
	w.Header().Set("Content-Disposition", r.URL.Query().Get("disposition"))
	_, err = io.Copy(w, object.Body)
	return err
}
