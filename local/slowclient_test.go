//go:build !unit

package main_test

import (
	"net"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
)

// A client that sends its request byte by byte, or sends none, is disconnected. Until
// then, other clients are answered as always.
func TestServe_ASlowClientIsDisconnected(t *testing.T) {
	t.Parallel()
	s := newHome(t, pgtest.NewCluster(t)).serve(t, nil)
	for name, request := range map[string]string{
		"no request":      "",
		"a slow header":   "GET /ace/tasks HTTP/1.1\r\nHost: " + s.host + "\r\nX-Slow: ",
		"an endless line": "GET /ace/tasks?",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.host)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()

			began := time.Now()
			_, err = client.Write([]byte(request))
			for err == nil && time.Since(began) < time.Minute {
				time.Sleep(200 * time.Millisecond)
				if s.get(t, "/healthz", "").Status != 200 {
					t.Error("another client is not answered")
				}
				if request != "" {
					_, err = client.Write([]byte("x"))
					continue
				}
				_ = client.SetReadDeadline(time.Now().Add(time.Millisecond))
				if _, err = client.Read(make([]byte, 1)); isTimeout(err) {
					err = nil
				}
			}
			if took := time.Since(began); err == nil || took < 3*time.Second || took > 30*time.Second {
				t.Errorf("%v after %s, want the end of the connection after 5s", err, took)
			}
		})
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error) //nolint:errorlint // a connection returns it as it is
	return ok && timeout.Timeout()
}
