//go:build !unit

package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
)

const eventBus = "arn:aws:events:us-east-1:123456789012:event-bus/ops"

// events is a server that speaks the PutEvents of EventBridge.
type events struct {
	*httptest.Server
	mu      sync.Mutex
	refuses bool
	got     map[string][]api.Event // by task id
}

func newEvents(t *testing.T) *events {
	t.Helper()
	e := &events{got: map[string][]api.Event{}}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Entries []struct{ EventBusName, Source, DetailType, Detail string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" || len(in.Entries) != 1 {
			t.Errorf("%v, %v, %v", err, r.Header, in)
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if e.refuses {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type": "AccessDeniedException"}`)
			return
		}
		var event api.Event
		if err := json.Unmarshal([]byte(in.Entries[0].Detail), &event); err != nil || in.Entries[0].EventBusName != eventBus || in.Entries[0].DetailType != event.Type {
			t.Errorf("%v: %+v", err, in)
		}
		e.got[event.Data.TaskID] = append(e.got[event.Data.TaskID], event)
		_, _ = io.WriteString(w, `{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}`)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *events) refuse(refuses bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refuses = refuses
}

// wait waits until the event of a task has arrived, and returns its type. Until then it
// calls again repeatedly.
func (e *events) wait(t *testing.T, taskID string, again func()) string {
	t.Helper()
	for deadline := time.Now().Add(taskTimeout); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		e.mu.Lock()
		got := e.got[taskID]
		e.mu.Unlock()
		if len(got) > 0 {
			return got[0].Type
		}
		again()
	}
	t.Fatalf("no event of %s has arrived", taskID)
	return ""
}

func TestEvents_OfEveryEndedTaskReachTheBus(t *testing.T) {
	t.Parallel()
	bus := newEvents(t)
	s := newSite(t)
	s.table(t, 1_000)
	d := s.deploy(t, settings{events: bus.URL, env: map[string]string{"ACE_LEASE": "3s"}})
	sweep := func() {
		if _, err := d.invoke(t.Context(), sweeper, []byte(`{}`)); err != nil {
			t.Error(err)
		}
	}

	id := d.submit(t)
	d.wait(t, id)
	if got := bus.wait(t, id, func() {}); got != api.EventDiffers {
		t.Errorf("the event is %s", got)
	}

	// An event that the bus refuses stays in the outbox until the sweep can publish it. The
	// task has ended long before.
	bus.refuse(true)
	failing := d.submit(t, "table_filter", "1 / (id - 5) < 9")
	if status := d.wait(t, failing); status.Status != api.StatusFailed {
		t.Errorf("the task ended %+v", status)
	}
	for {
		if _, err := d.store.Stat(t.Context(), archive.NotificationKey(failing)); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	sweep()
	bus.refuse(false)
	if got := bus.wait(t, failing, sweep); got != api.EventFailed {
		t.Errorf("the event is %s", got)
	}
	if _, err := d.store.Stat(t.Context(), archive.NotificationKey(id)); err == nil {
		t.Error("a published event is still in the outbox")
	}
}
