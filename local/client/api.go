package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/retry"
)

const (
	// maxAnswer is the maximum size of a JSON answer in bytes. The longest answer is a page
	// of a list with 1000 tasks.
	maxAnswer = 64 << 20
	// answerTimeout bounds the wait from a request to the header of its answer.
	answerTimeout = 2 * time.Minute
	// busyRetry bounds the sum of all waits before the retries of a request that the
	// server answers with 503 (busy).
	busyRetry = 2 * time.Minute
	// maxDelay bounds one wait that the server asks for by Retry-After.
	maxDelay = time.Minute
)

// Server is a connection to the API of a service.
type Server struct {
	base  string // the URL without a trailing slash
	http  *http.Client
	agent string // the name of the program for the server
	token string // the token that every request must have; "" if the service requires none
	// browsable means that a browser on this machine can use base.
	browsable bool
	note      func(format string, args ...any)
}

// newServer returns a connection to an address: http://host:port, https://host:port,
// host:port, or unix:///path. It sends no request.
func newServer(address, token string, files tlsFiles) (*Server, error) {
	settings, err := files.read()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{ResponseHeaderTimeout: answerTimeout, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSClientConfig: settings}
	s := &Server{http: &http.Client{Transport: transport, CheckRedirect: keepToken}, token: token, note: func(string, ...any) {}}
	if path, isSocket := strings.CutPrefix(address, "unix://"); isSocket {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		s.base = "http://localhost"
		return s, nil
	}

	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" {
		return nil, fault.New(fault.Invalid, "the server is %q; it must be http://host:port, https://host:port or unix:///path", address)
	}
	s.base, s.browsable = strings.TrimSuffix(u.String(), "/"), token == ""
	return s, nil
}

// keepToken is called before the client follows a redirect. It sends the token only to
// the host of the first request, because another host must not learn the token. It
// returns an error after more than 5 redirects.
func keepToken(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		req.Header.Del("Authorization")
	}
	if len(via) > 5 {
		return errors.New("too many redirects")
	}
	return nil
}

// get sends a GET request and returns its JSON answer.
func (s *Server) get(ctx context.Context, path string, params url.Values) ([]byte, error) {
	if len(params) > 0 {
		path += "?" + params.Encode()
	}
	return s.call(ctx, http.MethodGet, path, "", nil)
}

// post sends a POST request with parameters and returns its JSON answer.
func (s *Server) post(ctx context.Context, path string, params url.Values) ([]byte, error) {
	return s.call(ctx, http.MethodPost, path, "application/x-www-form-urlencoded", func() io.Reader {
		return strings.NewReader(params.Encode())
	})
}

func decode(raw []byte, path string, answer any) error {
	if err := json.Unmarshal(raw, answer); err != nil {
		return fault.New(fault.Unavailable, "the answer to %s is not that of an ACE service", path)
	}
	return nil
}

// call sends a request and returns its answer. It repeats the request while the server is
// busy. body is called for each try and returns the body of the request; nil means no
// body.
func (s *Server) call(ctx context.Context, method, path, contentType string, body func() io.Reader) (answer []byte, err error) {
	err = s.whileBusy(ctx, func() (err error) {
		var content io.Reader
		if body != nil {
			content = body()
		}
		answer, err = s.callOnce(ctx, method, path, contentType, content)
		return err
	})
	return answer, err
}

// whileBusy repeats a request while the server answers 503 or 429, because such a request
// had no effect. It waits at least as long as the answer asks for.
func (s *Server) whileBusy(ctx context.Context, request func() error) error {
	policy := retry.Policy{
		Backoff: retry.Backoff{First: time.Second, Max: 10 * time.Second}, MaxTotal: busyRetry, MaxDelay: maxDelay,
		Retryable: isBusy,
		Notify: func(err error, wait time.Duration) {
			s.note("the server is busy, next try in %s: %s", wait.Round(time.Second), err)
		},
	}
	return policy.Do(ctx, request)
}

// callOnce sends a request and returns its answer.
func (s *Server) callOnce(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	response, err := s.send(ctx, method, path, contentType, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()

	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the answer to %s %s was interrupted", method, path)
	}
	return answer, nil
}

// send sends a request and returns a response with status 200 or 206, whose body the
// caller must close. Any other status is an error.
func (s *Server) send(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the address %s cannot be used", s.base)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	return s.do(request)
}

func (s *Server) do(request *http.Request) (*http.Response, error) {
	request.Header.Set("X-ACE-Request", "1")
	if s.agent != "" {
		request.Header.Set("User-Agent", s.agent)
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}

	response, err := s.http.Do(request)
	if err != nil {
		return nil, unreachable(request.Context(), s.base, err)
	}
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusPartialContent {
		return response, nil
	}
	defer response.Body.Close()
	return nil, retry.WithDelay(serverError(response), response.Header.Get("Retry-After"))
}

// unreachable returns the error of a request that received no response.
func unreachable(ctx context.Context, base string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var reason *url.Error
	if errors.As(err, &reason) {
		err = reason.Err
	}
	return fault.Wrap(err, fault.Unavailable, "no answer from %s: %v", base, err)
}

// StatusError is a response of the server with another status than 200 or 206.
type StatusError struct {
	Status  int // the HTTP status
	Message string
}

// Error returns the server's message.
func (e *StatusError) Error() string { return e.Message }

func isBusy(err error) bool {
	var answered *StatusError
	return errors.As(err, &answered) &&
		(answered.Status == http.StatusServiceUnavailable || answered.Status == http.StatusTooManyRequests)
}

// serverError converts a response to a StatusError. If the body is not the JSON of an
// error of ACE, the message is the HTTP status.
func serverError(response *http.Response) error {
	raw, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))            // an interrupted body is not valid JSON
	if strings.Contains(string(raw), "HTTP request to an HTTPS server") { // the answer of Go's server
		return &StatusError{response.StatusCode, fmt.Sprintf("%s serves TLS: use https://%[1]s", response.Request.URL.Host)}
	}
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Error == "" {
		return &StatusError{response.StatusCode, fmt.Sprintf("%s answered %s; is it an ACE service?", response.Request.URL.Host, response.Status)}
	}
	return &StatusError{response.StatusCode, answer.Error}
}

// submit starts a task and returns its id.
func (s *Server) submit(ctx context.Context, route api.Route, params url.Values) (string, error) {
	raw, err := s.post(ctx, route.Path(""), params)
	if err != nil {
		return "", err
	}
	var answer api.Submitted
	if err := decode(raw, string(route), &answer); err != nil {
		return "", err
	}
	return answer.TaskID, nil
}

// task is a task's status. raw is the JSON in which the server returned it.
type task struct {
	api.TaskStatus
	raw []byte
}

// status returns the status of a task.
func (s *Server) status(ctx context.Context, id string) (task, error) {
	path := api.RouteTaskStatus.Path(url.PathEscape(id))
	raw, err := s.get(ctx, path, nil)
	if err != nil {
		return task{}, err
	}
	t := task{raw: raw}
	return t, decode(raw, path, &t.TaskStatus)
}

// cancel requests the cancellation of a task.
func (s *Server) cancel(ctx context.Context, id string) error {
	_, err := s.post(ctx, api.RouteTaskCancel.Path(url.PathEscape(id)), nil)
	return err
}

// seconds formats a number of seconds, such as 123 ms, 12.3 s or 1m2s.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	}
	return d.Round(time.Second).String()
}
