package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
)

// dialing returns a transport whose connections come from dial.
func dialing(dial func(context.Context) (net.Conn, error)) http.RoundTripper {
	return &http.Transport{
		ResponseHeaderTimeout: answerTimeout,
		DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}
}

// upload imports a document.
func (s *Server) upload(ctx context.Context, document io.Reader) (api.Imported, error) {
	raw, err := s.callOnce(ctx, http.MethodPost, string(api.RouteDiffs), "application/json", document)
	if err != nil {
		return api.Imported{}, err
	}
	var imported api.Imported
	return imported, decode(raw, string(api.RouteDiffs), &imported)
}

// download writes a file of the archive to out. It returns an error if the server sent
// the SHA-256 of the file and the SHA-256 of the written bytes is another one.
func (s *Server) download(ctx context.Context, address string, out io.Writer) error {
	var response *http.Response
	err := s.whileBusy(ctx, func() (err error) {
		response, err = s.send(ctx, http.MethodGet, address, "", nil) //nolint:bodyclose // closed below
		return err
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()

	digest := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, digest), response.Body); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the download was interrupted: %v", err)
	}
	return checkDigest(response.Header.Get("ETag"), digest.Sum(nil))
}

// save downloads a file of the archive to a path, whose parent directory must exist. An
// interrupted download leaves the file path.part, which the next call of save resumes.
// The file at path is created only at the end, after its SHA-256 was checked, if the
// server sent one.
func (s *Server) save(ctx context.Context, address, path string) error {
	partial, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fault.New(fault.Invalid, "the file cannot be written: %v", err)
	}
	defer partial.Close()

	digest := sha256.New()
	done, err := io.Copy(digest, partial)
	if err != nil {
		return fault.New(fault.Invalid, "the file cannot be read: %v", err)
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+address, nil)
	if err != nil {
		return err
	}
	if done > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", done))
	}
	var response *http.Response
	err = s.whileBusy(ctx, func() (err error) {
		response, err = s.do(request) //nolint:bodyclose // closed below
		return err
	})
	var answered *StatusError
	if errors.As(err, &answered) && answered.Status == http.StatusRequestedRangeNotSatisfiable {
		// The server has no bytes to send, so path.part has all bytes already, or too
		// many. Download the whole file again.
		if err := os.Remove(partial.Name()); err != nil {
			return err
		}
		return s.save(ctx, address, path)
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()

	if response.StatusCode == http.StatusOK && done > 0 { // the server has ignored the Range header and sends the whole file
		if err := partial.Truncate(0); err != nil {
			return err
		}
		if _, err := partial.Seek(0, io.SeekStart); err != nil {
			return err
		}
		digest.Reset()
	}
	if _, err := io.Copy(io.MultiWriter(partial, digest), response.Body); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the download was interrupted; the same command resumes it")
	}
	return keep(partial, path, response.Header.Get("ETag"), digest.Sum(nil))
}

// keep renames partial, a complete download, to path. digest is the SHA-256 of partial.
// If tag, the ETag of the response, is another SHA-256, keep deletes partial and returns
// an error.
func keep(partial *os.File, path, tag string, digest []byte) error {
	if err := checkDigest(tag, digest); err != nil {
		_ = os.Remove(partial.Name())
		return err
	}
	if err := errors.Join(partial.Sync(), partial.Close()); err != nil {
		return fault.New(fault.Invalid, "the file cannot be written: %v", err)
	}
	return os.Rename(partial.Name(), path)
}

// checkDigest returns an error if an ETag is a SHA-256 other than digest.
func checkDigest(tag string, digest []byte) error {
	tag, _, _ = strings.Cut(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`), "-")
	isSHA256 := len(tag) == 2*sha256.Size && strings.Trim(tag, "0123456789abcdef") == ""
	if !isSHA256 || hex.EncodeToString(digest) == tag {
		return nil
	}
	return fault.New(fault.Unavailable, "the download is damaged: its SHA-256 is %x, the server's is %s", digest, tag)
}

// fileAddress returns the path and query of a file of a task.
func fileAddress(route api.Route, id string, params url.Values) string {
	address := route.Path(url.PathEscape(id))
	if len(params) > 0 {
		address += "?" + params.Encode()
	}
	return address
}

// overwritable returns an error if a file exists at path.
func overwritable(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fault.New(fault.Conflict, "%s exists already; name another file with --output-file", path)
}
