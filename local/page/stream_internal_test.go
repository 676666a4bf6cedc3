package page

import (
	"net/http/httptest"
	"testing"
	"time"
)

func TestStream_EndsSoThatTheTokenIsCheckedAgain(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.streamTime = time.Millisecond
	done := make(chan error, 1)
	go func() {
		done <- p.stream(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/events", nil))
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on")
	}
}
