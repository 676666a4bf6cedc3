package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/notify"
	"ace/shared/notify/webhook"
	"ace/shared/retry"
	"ace/shared/task"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// golden returns the event of a golden file of package notify.
func golden(t *testing.T, name string) api.Event {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "events", name))
	if err != nil {
		t.Fatal(err)
	}
	var event api.Event
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// request is a request as a receiver got it.
type request struct {
	header http.Header
	body   []byte
}

// receiver is an HTTP server. answer answers the n-th request (from 1).
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		if err != nil || in.Method != http.MethodPost {
			t.Errorf("%s, %v", in.Method, err)
		}
		r.mu.Lock()
		r.requests = append(r.requests, request{in.Header.Clone(), body})
		n := len(r.requests)
		r.mu.Unlock()
		answer(n, w, in)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

func status(code int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func newClient(t *testing.T, o webhook.Options) *webhook.Client {
	t.Helper()
	c, err := webhook.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func verify(t *testing.T, secret string, r request) {
	t.Helper()
	receiver, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Verify(r.body, r.header); err != nil {
		t.Errorf("with the secret %s: %v", secret, err)
	}
}

func TestSend_SignsTheEventAsStandardWebhooksSays(t *testing.T) {
	r := newReceiver(t, status(http.StatusNoContent))
	event := golden(t, "differs.json")
	c := newClient(t, webhook.Options{URL: r.URL + "/hook?team=db", Secrets: []string{oldSecret, newSecret}})
	if err := c.Send(t.Context(), event); err != nil {
		t.Fatal(err)
	}

	got := r.got()[0]
	verify(t, oldSecret, got)
	verify(t, newSecret, got)
	if id, want := got.header.Get("webhook-id"), event.ID; id != want {
		t.Errorf("the id is %s, want %s", id, want)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("the content type is %s", kind)
	}
	var body api.Event
	if err := json.Unmarshal(got.body, &body); err != nil || body.ID != event.ID || body.Data.TaskID != event.Data.TaskID {
		t.Errorf("the body is %s, %v", got.body, err)
	}

	// Compute the signature without the library, as the specification defines it.
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(newSecret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(fmt.Appendf(nil, "%s.%s.%s", event.ID, got.header.Get("webhook-timestamp"), got.body))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if signatures := strings.Split(got.header.Get("webhook-signature"), " "); len(signatures) != 2 || signatures[1] != want {
		t.Errorf("the signatures are %v, want %s as the second", signatures, want)
	}
}

func TestSend_AsSlackSendsOnlyText(t *testing.T) {
	events, err := filepath.Glob("../testdata/events/*.json")
	if err != nil || len(events) < 9 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	r := newReceiver(t, status(http.StatusOK))
	c := newClient(t, webhook.Options{URL: r.URL, Slack: true})
	var all strings.Builder
	for _, path := range events {
		if err := c.Send(t.Context(), golden(t, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
		sent := r.got()
		last := sent[len(sent)-1]
		var body map[string]string
		if err := json.Unmarshal(last.body, &body); err != nil || len(body) != 1 || body["text"] == "" {
			t.Errorf("%s: the body is %s, %v", path, last.body, err)
		}
		if signature := last.header.Get("webhook-signature"); signature != "" {
			t.Errorf("signed without a secret: %s", signature)
		}
		fmt.Fprintf(&all, "== %s\n%s\n", filepath.Base(path), body["text"])
	}

	path := filepath.Join("testdata", "slack.txt")
	if *update {
		if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != all.String() {
		t.Errorf("%v: got\n%s\nwant %s", err, all.String(), want)
	}
}

func TestText_EscapesMarkup(t *testing.T) {
	event := golden(t, "differs.json")
	event.Data.TableName = `public."<!channel> & co"`
	if got := webhook.Text(event); strings.Contains(got, "<!") || !strings.Contains(got, `public."&lt;!channel&gt; &amp; co"`) {
		t.Errorf("got %s", got)
	}
}

func TestSend_ReportsWhatTheReceiverAnswered(t *testing.T) {
	const path = "/services/T0/B0/hidden"
	for name, tt := range map[string]struct {
		answer func(int, http.ResponseWriter, *http.Request)
		code   fault.Code
		want   string
		after  time.Duration // -1: the error is no DelayError
	}{
		"500": {status(500), fault.Unavailable, "answered 500", -1},
		"503 in seconds": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(503)
		}, fault.Unavailable, "answered 503", 7 * time.Second},
		"429 at a time": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))
			w.WriteHeader(429)
		}, fault.Unavailable, "answered 429", time.Minute},
		"429 in the past": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", time.Unix(0, 0).UTC().Format(http.TimeFormat))
			w.WriteHeader(429)
		}, fault.Unavailable, "answered 429", 0},
		"429 with nonsense": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "-3")
			w.WriteHeader(429)
		}, fault.Unavailable, "answered 429", -1},
		"404 with a reason": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "no_service\n"+strings.Repeat("x", 1<<20))
		}, fault.Invalid, `answered 404 "no_service`, -1},
		"a connection that ends": {func(int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable, "cannot be reached", -1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, tt.answer)
			err := newClient(t, webhook.Options{URL: r.URL + path, Secrets: []string{oldSecret}}).Send(t.Context(), golden(t, "failed.json"))
			if fault.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), r.URL) {
				t.Errorf("got %v, want %s and %q", err, tt.code, tt.want)
			}
			if strings.Contains(err.Error(), "hidden") || len(err.Error()) > 400 {
				t.Errorf("the error shows too much: %s", err)
			}
			after := time.Duration(-1)
			var delay *retry.DelayError
			if errors.As(err, &delay) {
				after = delay.After
			}
			if after > tt.after || after < tt.after-2*time.Second {
				t.Errorf("the delay is %s, want %s", after, tt.after)
			}
		})
	}
}

// The address to which a redirect leads is not configured, so nothing is sent there.
func TestSend_FollowsNoRedirect(t *testing.T) {
	other := newReceiver(t, status(http.StatusOK))
	for _, code := range []int{301, 302, 303, 307, 308} {
		r := newReceiver(t, func(_ int, w http.ResponseWriter, in *http.Request) { http.Redirect(w, in, other.URL, code) })
		err := newClient(t, webhook.Options{URL: r.URL, Secrets: []string{oldSecret}}).Send(t.Context(), golden(t, "differs.json"))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "redirect") {
			t.Errorf("%d: got %v", code, err)
		}
	}
	if got := len(other.got()); got != 0 {
		t.Errorf("%d requests were sent on", got)
	}
}

func TestSend_RefusesACertificateThatNoAuthoritySigned(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the event was sent") }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	err := newClient(t, webhook.Options{URL: server.URL + "/hidden", Secrets: []string{oldSecret}}).Send(t.Context(), golden(t, "differs.json"))
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}

func TestSend_EndsWithItsContextAlthoughTheReceiverHangs(t *testing.T) {
	r := newReceiver(t, func(_ int, _ http.ResponseWriter, in *http.Request) { <-in.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := newClient(t, webhook.Options{URL: r.URL + "/hidden"}).Send(ctx, golden(t, "differs.json"))
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "no answer in time") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}

// The receiver fails first, in every way, and then accepts. Each attempt has the same id
// and body, and a signature of its own.
func TestNotifier_DeliversToAReceiverThatFailsFirst(t *testing.T) {
	accepted := make(chan struct{})
	r := newReceiver(t, func(n int, w http.ResponseWriter, in *http.Request) {
		switch n {
		case 1:
			<-in.Context().Done()
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(429)
		case 4:
			w.WriteHeader(500)
		case 5:
			w.WriteHeader(400)
		case 6:
			close(accepted)
		}
	})
	store := memstore.New(t)
	wait := retry.Backoff{First: time.Millisecond, Max: 5 * time.Millisecond}
	n := notify.New(notify.Options{
		Store: store, Sender: newClient(t, webhook.Options{URL: r.URL, Secrets: []string{oldSecret}}), Types: api.EventTypes(), Now: time.Now,
		Log:   slog.New(slog.NewTextHandler(t.Output(), nil)),
		Waits: notify.Waits{Event: wait, Receiver: wait, Send: 100 * time.Millisecond},
	})
	now := time.Now()
	rec := task.Record{TaskID: "td_20240315_123456", Type: task.TableDiff, Status: task.Failed, FinishedAt: &now, Error: "e", ErrorCode: "internal"}
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() { n.Run(ctx) })
	if err := n.Add(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	select {
	case <-accepted:
	case <-time.After(time.Minute):
		t.Errorf("not delivered: %+v", n.Stats())
	}
	cancel()
	background.Wait()

	requests := r.got()
	for _, one := range requests {
		verify(t, oldSecret, one)
		if id := one.header.Get("webhook-id"); id != notify.EventOf(rec).ID || string(one.body) != string(requests[0].body) {
			t.Errorf("the id is %s, the body %s", id, one.body)
		}
	}
	if got, want := n.Stats(), (notify.Stats{Delivered: 1, FailedAttempts: 5}); got != want || len(requests) != 6 {
		t.Errorf("%d requests, the counts are %+v, want %+v", len(requests), got, want)
	}
	if _, err := store.Stat(t.Context(), archive.NotificationKey(rec.TaskID)); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("the outbox: %v", err)
	}
}

func TestNew_RefusesWrongOptions(t *testing.T) {
	for _, o := range []webhook.Options{{URL: "/hidden"}, {URL: "http://h\x7f/hidden"}, {URL: "http://h", Secrets: []string{"whsec_hidden!"}}} {
		if _, err := webhook.New(o); fault.CodeOf(err) != fault.Invalid || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}
