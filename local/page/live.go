package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/fault"
	"ace/shared/retry"
)

const (
	// liveEvery is the shortest pause between two readings of the running tasks.
	liveEvery = time.Second
	// liveLatest is the longest pause between two readings of the running tasks.
	liveLatest = 10 * time.Second
	// liveShare is the ratio of a pause to the duration of the reading before it, within
	// the limits liveEvery and liveLatest. So reading uses little of the machine.
	liveShare = 60

	liveTasks   = 10               // maximum number of tasks shown with their progress
	liveSought  = 200              // maximum number of tasks that are read to find those of the clusters that a caller may see
	maxWatchers = 64               // maximum number of streams that are open at once
	writeTime   = 10 * time.Second // bounds one write to a stream
	// beatEvery is the time between two comments that each stream sends. A write to a
	// client that is gone fails, so the comments end streams that send no events.
	beatEvery = 20 * time.Second
	// streamTime bounds the life of a stream. The browser opens the stream again, and then
	// its token is checked again. So a caller that was removed sees no more progress.
	streamTime = 2 * time.Minute
)

// running has the tasks that have not ended.
type running struct {
	Tasks   []api.TaskStatus // the state of the oldest tasks, at most liveTasks
	Waiting int              // the number of tasks after the first liveTasks
	ids     []string         // the ids of all tasks, the oldest first
}

// readRunning returns the tasks that have not ended. It reads the state of only the
// oldest liveTasks of them.
func (p *Page) readRunning(ctx context.Context) (running, error) {
	ids, err := p.OpenTasks(ctx)
	if err != nil {
		return running{}, err
	}
	now := running{ids: ids, Waiting: max(0, len(ids)-liveTasks)}
	read := liveTasks
	if !caller.Of(ctx).SeesAll() { // the number of tasks of other clusters must not be shown
		now.Waiting, read = 0, liveSought
	}
	for _, id := range ids[:min(len(ids), read)] {
		if len(now.Tasks) == liveTasks {
			break
		}
		status, err := p.status(ctx, id)
		if isNotFound(err) { // the task has no record yet, or has been deleted
			continue
		}
		if err != nil {
			return now, err
		}
		if !status.HasEnded() {
			now.Tasks = append(now.Tasks, status)
		}
	}
	return now, nil
}

func (p *Page) status(ctx context.Context, id string) (api.TaskStatus, error) {
	return get[api.TaskStatus](ctx, p.API, api.RouteTaskStatus.Path(id), nil)
}

func isNotFound(err error) bool {
	var refused *refusal
	return errors.As(err, &refused) && refused.Status == http.StatusNotFound
}

// publicError returns the message of an error in the form that a page may show, without
// internal details.
func publicError(err error) string {
	var refused *refusal
	if errors.As(err, &refused) {
		return refused.Message
	}
	return fault.PublicMessage(err)
}

// hub has the open streams of events to pages. It is safe for concurrent use.
type hub struct {
	mu       sync.Mutex
	watchers map[*watcher]bool
	closed   bool
	wake     chan struct{} // receives a value when a stream is opened
}

// watcher is an open stream of events to a page.
type watcher struct {
	task string // the id of the task that the page shows; "" means all running tasks
	// restricted means that the caller of the page sees only some clusters. The progress of
	// all running tasks is not sent to it.
	restricted bool
	events     chan string
	sent       string // the data of the last eventProgress that was sent
}

func newHub() *hub { return &hub{watchers: map[*watcher]bool{}, wake: make(chan struct{}, 1)} }

// open adds a stream for the page of a task, or for the page of all running tasks ("").
// It returns false if maxWatchers streams are open, or if the service is stopping.
func (h *hub) open(task string, restricted bool) (*watcher, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.watchers) >= maxWatchers {
		return nil, false
	}
	w := &watcher{task: task, restricted: restricted, events: make(chan string, 8)}
	h.watchers[w] = true
	select {
	case h.wake <- struct{}{}:
	default:
	}
	return w, true
}

// remove ends a stream. It does nothing if the stream has already ended.
func (h *hub) remove(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end(w)
}

func (h *hub) end(w *watcher) {
	if h.watchers[w] {
		delete(h.watchers, w)
		close(w.events)
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for w := range h.watchers {
		h.end(w)
	}
}

// tasks returns the ids of the tasks whose pages have an open stream. watched reports
// whether any stream is open, which may also be one for all running tasks.
func (h *hub) tasks() (ids []string, watched bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if w.task != "" {
			ids = append(ids, w.task)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), len(h.watchers) > 0
}

// send sends an event to the streams of a task, or to the streams that show all running
// tasks (""). Progress that a stream has already sent is not sent again.
func (h *hub) send(task, event, data string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if w.task != task || event == eventProgress && (w.sent == data || task == "" && w.restricted) {
			continue
		}
		select {
		case w.events <- message(event, data):
			if event == eventProgress {
				w.sent = data
			}
		default:
			h.end(w) // the client does not read; its browser opens the stream again
		}
	}
}

// The events of a stream.
const (
	// eventProgress has the new content of the element with the id "progress" as its data.
	eventProgress = "progress"
	// eventChanged means that a task has begun or ended. The script of the page then reads
	// the page again.
	eventChanged = "changed"
)

// message returns an event in the format of server-sent events.
func message(event, data string) string {
	return "event: " + event + "\ndata: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n"
}

// follow sends the progress of tasks to the open streams, until the context ends. It
// reads the tasks once for all streams, and not at all while no stream is open. The
// longer a reading takes, the longer is the pause after it (see liveShare).
func (p *Page) follow(ctx context.Context) {
	defer p.live.close()
	var before running
	for ctx.Err() == nil {
		tasks, watched := p.live.tasks()
		if !watched {
			select {
			case <-ctx.Done():
			case <-p.live.wake:
			}
			continue
		}
		begun := time.Now()
		before = p.followOnce(ctx, tasks, before)
		_ = retry.Sleep(ctx, min(max(liveEvery, liveShare*time.Since(begun)), liveLatest))
	}
}

// followOnce reads the open tasks once and sends their progress to the streams. tasks has
// the ids of the tasks whose pages have a stream, and before is the result of the last
// call. It returns the tasks that have not ended, or before if they cannot be read.
func (p *Page) followOnce(ctx context.Context, tasks []string, before running) running {
	now, err := p.readRunning(ctx)
	if err != nil {
		p.Log.DebugContext(ctx, "progress not read; that is tried again", "error", err)
		return before
	}
	p.live.send("", eventProgress, p.fragment("running", now))
	if before.ids != nil && !slices.Equal(before.ids, now.ids) {
		p.live.send("", eventChanged, "")
	}
	if now.ids == nil {
		now.ids = []string{}
	}

	for _, id := range tasks {
		at := slices.IndexFunc(now.Tasks, func(t api.TaskStatus) bool { return t.TaskID == id })
		if at >= 0 {
			p.live.send(id, eventProgress, p.fragment("progress", now.Tasks[at]))
			continue
		}
		status, err := p.status(ctx, id)
		switch {
		case err != nil: // the next call reads the task again
		case status.HasEnded():
			p.live.send(id, eventChanged, "")
		default:
			p.live.send(id, eventProgress, p.fragment("progress", status))
		}
	}
	return now
}

// fragment returns the HTML of a part of a page: the result of the template with this
// name.
func (p *Page) fragment(name string, data any) string {
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, name, data); err != nil {
		p.Log.Error("part of the page not shown", "part", name, "error", err)
	}
	return strings.TrimSpace(out.String())
}

// stream answers with the events of one page, until the page is closed or the hub ends
// the stream.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) error {
	task := r.URL.Query().Get("task")
	if task != "" && !api.IsTaskID(task) {
		return &refusal{http.StatusNotFound, fmt.Sprintf("there is no task %.100q", task)}
	}
	by := caller.Of(r.Context())
	if task != "" && !by.SeesAll() { // the progress is read once for all callers
		if _, err := p.status(r.Context(), task); err != nil {
			return err
		}
	}
	watcher, ok := p.live.open(task, !by.SeesAll())
	if !ok {
		return &refusal{http.StatusServiceUnavailable, "too many pages show live progress; close one, or reload this page by hand"}
	}
	defer p.live.remove(watcher)

	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	write := func(text string) bool {
		// SetWriteDeadline fails only in tests without a connection.
		_ = control.SetWriteDeadline(time.Now().Add(writeTime))
		_, err := w.Write([]byte(text))
		return err == nil && control.Flush() == nil
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	end := time.NewTimer(p.streamTime)
	defer end.Stop()
	for ok := write("retry: 3000\n\n"); ok; {
		select {
		case <-r.Context().Done():
			return nil
		case <-end.C:
			return nil
		case <-beat.C:
			ok = write(":\n\n")
		case event, open := <-watcher.events:
			ok = open && write(event)
		}
	}
	return nil
}
