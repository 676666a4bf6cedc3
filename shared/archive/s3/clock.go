package s3

import (
	"context"
	"net/http"
	"time"
)

// clockTransport reads the store's clock off every answer. minio-go passes the Date header on for Get only, and leases
// are judged by the store's clock, never by ours.
type clockTransport struct{ next http.RoundTripper }

type clockKey struct{}

// withClock gives a context whose requests leave the time of the last answer (zero if it had none) in the returned place.
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
