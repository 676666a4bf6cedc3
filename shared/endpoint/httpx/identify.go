package httpx

import (
	"context"
	"net"
	"net/http"
	"strings"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/endpoint"
)

// The values of api.RequestedBy.Via of requests over HTTP.
const (
	viaHTTP = "http"
	viaPage = "page"
)

// identify returns the caller of a request. token is the token that the request has, or
// "". If a token is required and this one is missing or wrong, identify returns false and
// an identity with only the origin of the request.
//
// If no token is required, the caller is a command (Options.Command) or anonymous, and
// may do everything. If another handler of this package has already identified the
// caller, identify returns that identity.
func (g guard) identify(r *http.Request, via, token string) (id caller.Identity, known bool) {
	if id, ok := caller.FromContext(r.Context()); ok {
		return id, true
	}

	by := api.RequestedBy{From: origin(r), Via: via, UserAgent: r.UserAgent()}
	if g.Callers == nil {
		who := caller.Unrestricted(caller.Anonymous)
		if g.Command {
			who, by.Via = caller.Unrestricted(caller.Command), caller.Command
		}
		id, known = caller.NewIdentity(who, by), true
	} else {
		who, found := g.Callers.Find(token)
		id, known = caller.NewIdentity(who, by), found
		if !found && token != "" && g.WrongToken != nil {
			g.WrongToken(r.Context(), id.RequestedBy)
		}
	}
	endpoint.TraceOf(r.Context()).Identity = id
	return id, known
}

// bearer returns the token in the header Authorization, or "" if there is none.
func bearer(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// password returns the password of HTTP basic authentication, or "" if there is none. The
// name of the user has no meaning.
func password(r *http.Request) string {
	_, password, ok := r.BasicAuth()
	if !ok || len(r.Header.Values("Authorization")) != 1 {
		return ""
	}
	return password
}

type peerKey struct{}

// ConnContext is the function for http.Server.ConnContext. It records the user at the
// other end of a Unix socket.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if peer := peerOf(conn); peer != "" {
		return context.WithValue(ctx, peerKey{}, peer)
	}
	return ctx
}

// origin returns where a request came from: the address without the port, or the user at
// the other end of a Unix socket.
func origin(r *http.Request) string {
	if peer, ok := r.Context().Value(peerKey{}).(string); ok {
		return peer
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// Logged returns a handler that logs each request that h has answered.
func Logged(h http.Handler, log *endpoint.RequestLog) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, trace := log.Begin(r.Context())
		status := &statusWriter{ResponseWriter: w}
		// A handler may panic to abort the connection; the request is logged then too.
		defer func() { log.End(ctx, trace, r.Method, status.code()) }()
		h.ServeHTTP(status, r.WithContext(ctx))
	})
}

// statusWriter records the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the writer below, for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// code returns the status of the response. A response without a call of WriteHeader has
// the status 200.
func (w *statusWriter) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
