package s3

import (
	"context"
	"net/http"
	"time"
)

// clockTransport records the time of the store's clock for each request with a context of
// withClock. The time is in the Date header of the response. Only the store's clock
// decides whether a lease has expired, never the clock of this host. minio-go itself
// returns the Date header only for Get.
type clockTransport struct{ next http.RoundTripper }

type clockKey struct{}

// withClock returns a context and a variable. Each request with that context sets the
// variable to the time in its response, or to the zero time if the response has none.
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
