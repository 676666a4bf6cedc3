package dirstore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

const headerTimeout = 10 * time.Second

// links serves presigned links on loopback. The server starts when the first link is
// made. A link is valid until Close at the latest, because the key of the signatures and
// the port are new in each process.
type links struct {
	mu       sync.Mutex
	server   *http.Server
	address  string
	key      []byte
	serving  sync.WaitGroup
	isClosed bool
}

// Presign implements archive.Store.
func (s *Store) Presign(ctx context.Context, key, disposition string, valid time.Duration) (string, error) {
	return s.link(ctx, http.MethodGet, key, disposition, valid)
}

// PresignPut implements archive.Store.
func (s *Store) PresignPut(ctx context.Context, key string, valid time.Duration) (string, error) {
	return s.link(ctx, http.MethodPut, key, "", valid)
}

func (s *Store) link(ctx context.Context, method, key, disposition string, valid time.Duration) (string, error) {
	if err := archive.CheckValid(valid); err != nil {
		return "", err
	}
	if _, err := PathOf(key); err != nil {
		return "", err
	}
	if err := s.links.start(ctx, s); err != nil {
		return "", s.unavailable(err, "cannot make a link for", key)
	}
	expires := strconv.FormatInt(time.Now().Add(valid).Unix(), 10)
	query := url.Values{
		"disposition": {disposition}, "expires": {expires}, "signature": {s.links.sign(method, key, disposition, expires)},
	}
	link := url.URL{Scheme: "http", Host: s.links.address, Path: "/" + key, RawQuery: query.Encode()}
	return link.String(), nil
}

// start starts the server if it is not running.
func (l *links) start(ctx context.Context, s *Store) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.isClosed {
		return errors.New("the archive is closed")
	}
	if l.server != nil {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.key = []byte(rand.Text() + rand.Text())
	l.address = listener.Addr().String()
	l.server = &http.Server{Handler: http.HandlerFunc(s.follow), ReadHeaderTimeout: headerTimeout}
	l.serving.Go(func() { _ = l.server.Serve(listener) }) // it ends when the server is closed
	return nil
}

func (l *links) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isClosed = true
	if l.server != nil {
		_ = l.server.Close()
	}
	l.serving.Wait()
}

// sign returns the signature of a link.
func (l *links) sign(method, key, disposition, expires string) string {
	mac := hmac.New(sha256.New, l.key)
	for _, part := range []string{method, key, disposition, expires} {
		mac.Write([]byte(strconv.Quote(part)))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// follow answers a request for a link.
func (s *Store) follow(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	key, disposition, expires := strings.TrimPrefix(r.URL.Path, "/"), query.Get("disposition"), query.Get("expires")
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	signature := s.links.sign(method, key, disposition, expires)
	until, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || !hmac.Equal([]byte(signature), []byte(query.Get("signature"))) || time.Now().Unix() > until {
		http.Error(w, "the link is not valid, or not valid any more", http.StatusForbidden)
		return
	}

	if method == http.MethodPut {
		err = s.upload(r, key)
	} else {
		err = s.download(w, r, key, disposition)
	}
	switch {
	case errors.Is(err, archive.ErrNotFound):
		http.Error(w, fault.PublicMessage(err), http.StatusNotFound)
	case err != nil:
		http.Error(w, fault.PublicMessage(err), http.StatusInternalServerError)
	}
}

func (s *Store) upload(r *http.Request, key string) error {
	w, err := s.create(r.Context(), key, r.Header.Get("Content-Type"), always)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.Copy(w, r.Body); err != nil {
		return err
	}
	_, err = w.Commit(r.Context())
	return err
}

func (s *Store) download(w http.ResponseWriter, r *http.Request, key, disposition string) error {
	info, err := s.Stat(r.Context(), key)
	if err != nil {
		return err
	}
	content := archive.Open(r.Context(), s, info)
	defer content.Close()
	w.Header().Set("Content-Disposition", disposition)
	w.Header().Set("Content-Type", info.ContentType)
	w.Header().Set("ETag", `"`+info.ETag+`"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", info.LastModified, content)
	return nil
}
