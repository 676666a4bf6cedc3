//go:build !unit

package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hook is a receiver of notifications. It checks the signature of every request.
type hook struct {
	*httptest.Server
	mu       sync.Mutex
	answer   func(w http.ResponseWriter, r *http.Request) // nil: the event is accepted
	attempts []api.Event
	accepted map[string][]api.Event // by task id
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{accepted: map[string][]api.Event{}}
	verifier, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var event api.Event
		if err := json.Unmarshal(body, &event); err != nil || verifier.Verify(body, r.Header) != nil || r.Header.Get("webhook-id") != event.ID {
			t.Errorf("the request is not signed, or not as an event: %v, %s", r.Header, body)
		}
		if strings.Contains(string(body), "right") || strings.Contains(string(body), "wrong") {
			t.Errorf("the event has a value of a row: %s", body)
		}
		h.mu.Lock()
		h.attempts = append(h.attempts, event)
		answer := h.answer
		if answer == nil {
			h.accepted[event.Data.TaskID] = append(h.accepted[event.Data.TaskID], event)
		}
		h.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) answers(answer func(w http.ResponseWriter, r *http.Request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer, h.attempts = answer, nil
}

// attempted waits until an event of the task was sent, accepted or not.
func (h *hook) attempted(t *testing.T, taskID string) {
	t.Helper()
	eventually(t, taskTimeout, "the event of "+taskID+" is sent", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, event := range h.attempts {
			if event.Data.TaskID == taskID {
				return true
			}
		}
		return false
	})
}

// wait waits until an event of the task was accepted.
func (h *hook) wait(t *testing.T, taskID string) (event api.Event) {
	t.Helper()
	eventually(t, taskTimeout, "the event of "+taskID+" is delivered", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.accepted[taskID]) > 0 {
			event = h.accepted[taskID][0]
		}
		return event.ID != ""
	})
	return event
}

func TestServe_NotifiesOfTasksThatDifferFailAndRepairAlsoAfterKillNine(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t VALUES (1, 'right'), (2, 'right')`)
	c.Exec(t, 1, `UPDATE t SET v = 'wrong' WHERE id = 2`)
	hook := newHook(t)
	h := newHome(t, c)
	secret := filepath.Join(h.dir, "secret")
	if err := os.WriteFile(secret, []byte(webhookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := settings{"ACE_WEBHOOK_URL": hook.URL + "/hidden-path", "ACE_WEBHOOK_SECRET_FILE": "secret"}
	first := h.serve(t, env)

	// The receiver is down while the task ends, and the service is killed.
	hook.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	id := first.submit(t, c, "public.t")
	result := first.completed(t, id)
	hook.attempted(t, id)
	first.kill()
	hook.answers(nil)
	s := h.serve(t, env)
	if got := hook.wait(t, id); got.Type != api.EventDiffers || *got.Data.MismatchedRows != 1 || got.Data.ClusterName != c.Name || got.Data.Links.Document != "/ace/diffs/"+id {
		t.Errorf("the event is %+v", got)
	}

	// A repair, its undo and a failed task cause events. A match causes none.
	fix := s.repair(t, c, result.DiffFile)
	if got := hook.wait(t, fix); got.Type != api.EventRepaired || got.Data.Nodes["n2"] != (api.EventNode{Updated: 1, Outcome: "committed"}) {
		t.Errorf("the event is %+v", got)
	}
	match := s.submit(t, c, "public.t")
	s.completed(t, match)
	var undo api.Submitted
	s.read(t, "/ace/table-undo", "task_id="+fix, &undo)
	if got := hook.wait(t, undo.TaskID); got.Type != api.EventUndone || got.Data.Undoes != fix {
		t.Errorf("the event is %+v", got)
	}
	failing := s.submit(t, c, "public.nothing")
	if got := hook.wait(t, failing); got.Type != api.EventFailed || got.Data.Error == nil || got.Data.Error.Code == "" {
		t.Errorf("the event is %+v", got)
	}

	eventually(t, startTimeout, "the deliveries are counted", func() bool {
		return strings.Contains(string(s.get(t, "/metrics", "").Body), "\nace_notifications_delivered_total 4\n")
	})

	// A receiver that hangs delays neither a task nor the end of the service.
	hook.answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	last := s.submit(t, c, "public.t")
	hook.attempted(t, last)
	s.completed(t, s.submit(t, c, "public.t"))
	if code, took := s.terminate(t, 20*time.Second); code != 0 || took > 8*time.Second {
		t.Errorf("exit code %d after %s", code, took)
	}
	if !exists(t, h.object(archive.NotificationKey(last))) {
		t.Error("the event that was not delivered is not in the outbox")
	}
	hook.answers(nil)
	third := h.serve(t, env)
	hook.wait(t, last)
	eventually(t, taskTimeout, "the outbox is empty", func() bool { return !exists(t, h.object(archive.NotificationKey(last))) })
	if code, _ := third.terminate(t, 20*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}

	// A command that finds no service runs it itself and notifies before it ends.
	env["ACE_LISTEN"] = freeAddress(t)
	hook.answers(nil)
	if code, text := run(t, h.dir, env, "table-diff", c.Name, "public.t"); code != 1 {
		t.Errorf("exit code %d: %s", code, text)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.attempts) != 1 || hook.attempts[0].Type != api.EventDiffers {
		t.Errorf("the command notified of %+v", hook.attempts)
	}
	if len(hook.accepted[match]) > 0 {
		t.Errorf("a match is an event: %+v", hook.accepted[match])
	}
	for id, events := range hook.accepted {
		if len(events) != 1 {
			t.Errorf("the event of %s was accepted %d times", id, len(events))
		}
	}
	for _, p := range []*service{first, s, third} {
		checkSecret(t, "the log", p.output.String(), "hidden-path")
		checkSecret(t, "the log", p.output.String(), webhookSecret)
	}
}
