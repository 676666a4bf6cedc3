package eventbridge_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/notify/eventbridge"
)

const bus = "arn:aws:events:eu-central-1:123456789012:event-bus/ops"

// entry is an entry of a PutEvents request, in the JSON of AWS.
type entry struct {
	EventBusName, Source, DetailType, Detail string
	Time                                     float64
}

// serve starts a server that speaks PutEvents, and makes it the EventBridge of this
// process.
func serve(t *testing.T, answer func(w http.ResponseWriter, entries []entry)) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in struct{ Entries []entry }
		if target := r.Header.Get("X-Amz-Target"); err != nil || target != "AWSEvents.PutEvents" || json.Unmarshal(body, &in) != nil {
			t.Errorf("%s, %v: %s", target, err, body)
		}
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
			t.Error("the request is not signed")
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		answer(w, in.Entries)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", server.URL)
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
}

func event(t *testing.T) (event api.Event) {
	t.Helper()
	raw, err := os.ReadFile("../testdata/events/differs.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

func connect(t *testing.T) *eventbridge.Bus {
	t.Helper()
	b, err := eventbridge.Connect(t.Context(), bus)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSend_PutsTheWholeEventOnTheBus(t *testing.T) {
	var got []entry
	serve(t, func(w http.ResponseWriter, entries []entry) {
		got = append(got, entries...)
		_, _ = io.WriteString(w, `{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}`)
	})
	want := event(t)
	if err := connect(t).Send(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].EventBusName != bus || got[0].Source != "ace" || got[0].DetailType != "task.differs" || int64(got[0].Time) != want.Time.Unix() {
		t.Fatalf("got %+v", got)
	}
	var detail api.Event
	if err := json.Unmarshal([]byte(got[0].Detail), &detail); err != nil || detail.ID != want.ID || *detail.Data.MismatchedRows != 4 {
		t.Errorf("the detail is %s, %v", got[0].Detail, err)
	}
}

func TestSend_ReportsWhatTheBusDidNotAccept(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		code   fault.Code
		want   string
		calls  int
	}{
		"an entry":   {200, `{"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "m"}]}`, fault.Unavailable, "InternalFailure", 1},
		"this entry": {200, `{"FailedEntryCount": 1, "Entries": [{"ErrorCode": "MalformedDetail", "ErrorMessage": "m"}]}`, fault.Invalid, "MalformedDetail", 1},
		"nothing":    {200, `{"Entries": []}`, fault.Unavailable, "not accepted", 1},
		"no right":   {400, `{"__type": "AccessDeniedException", "message": "m"}`, fault.Unavailable, "AccessDeniedException", 1},
		"a fault":    {500, `{"__type": "InternalException", "message": "m"}`, fault.Unavailable, "InternalException", 2},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			serve(t, func(w http.ResponseWriter, _ []entry) {
				calls++
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			err := connect(t).Send(t.Context(), event(t))
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.want) || calls != tt.calls {
				t.Errorf("after %d calls: %v, want %s after %d", calls, err, tt.want, tt.calls)
			}
		})
	}
}

func TestSend_EndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	serve(t, func(http.ResponseWriter, []entry) { <-hang })
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := connect(t).Send(ctx, event(t)); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}
