package s3

import (
	"context"
	"net/http"
	"time"
)

// clockTransport reads the store's clock from every response, because only that clock
// decides whether a lease has expired, never the clock of this host. minio-go returns the
// Date header only for Get.
type clockTransport struct{ next http.RoundTripper }

type clockKey struct{}

// withClock returns a context and a variable. Requests with that context store the time
// of the last response in the variable; it is zero if the response had no time.
func withClock(ctx context.Context) (context.Context, *time.Time) {
	now := new(time.Time)
	return context.WithValue(ctx, clockKey{}, now), now
}

func (t clockTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if now, ok := req.Context().Value(clockKey{}).(*time.Time); ok {
		*now, _ = http.ParseTime(resp.Header.Get("Date"))
	}
	return resp, nil
}
