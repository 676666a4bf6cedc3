package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/fault"
	"ace/shared/render"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed page.css
var ownStyle string

//go:embed page.js
var ownScript string

// Options configure a Page.
type Options struct {
	// API handles the API requests of the page's scripts. It handles those of other clients
	// in the same way.
	API API
	// Downloads serves the files of tasks, such as documents. A request must have the path
	// that the file has in the API.
	Downloads http.Handler
	// OpenTasks returns the ids of the tasks that have not ended, the oldest first.
	OpenTasks func(ctx context.Context) ([]string, error)
	// Refused is called for each page that its caller may not see. It may be nil.
	Refused func(ctx context.Context, action string, refusal *caller.RefusalError)
	Log     *slog.Logger
	Version string
	Now     func() time.Time // nil means time.Now
}

// Page is the web page. It is safe for concurrent use. The caller must call Run, which
// reads in the background what the pages show.
type Page struct {
	Options
	mux        *http.ServeMux
	templates  *template.Template
	style      string
	policy     string
	csrf       csrf
	history    *keeper[history]
	nodes      *keeper[[]api.ClusterCheck]
	live       *hub
	streamTime time.Duration // the life of a stream of events
	rendering  chan struct{} // has a value for each request that is reading the rows of a document for the web page; its capacity bounds the number of these requests
}

// New returns a Page.
func New(o Options) (*Page, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Page{
		Options: o, csrf: newCSRF(), style: render.Style() + ownStyle, live: newHub(), streamTime: streamTime,
		rendering: make(chan struct{}, maxRendering),
	}
	p.policy = policy(p.style, ownScript, render.Script())
	p.history = newKeeper(historyMaxAge, p.readHistory)
	p.nodes = newKeeper(nodesMaxAge, p.readNodes)
	var err error
	p.templates, err = template.New("").Funcs(p.functions()).ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	p.mux = p.routes()
	return p, nil
}

// policy returns the header Content-Security-Policy of all pages. A browser applies only
// this style and runs only these scripts, which the policy names by their hashes. A page
// can connect and send forms only to its own service.
func policy(style string, scripts ...string) string {
	allowed := make([]string, 0, len(scripts))
	for _, script := range scripts {
		allowed = append(allowed, digest(script))
	}
	return "default-src 'none'; style-src " + digest(style) + "; script-src " + strings.Join(allowed, " ") +
		"; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

func digest(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// routes returns the handlers of the pages.
func (p *Page) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, show := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":                   p.showOverview,
		"GET /tasks":                 p.showTasks,
		"GET /tasks/{id}":            p.showTask,
		"GET /tasks/{id}/{download}": p.download,
		"GET /archive":               p.showArchive,
		"GET /compare":               p.showCompare,
		"GET /events":                p.stream,
		"POST /compare":              p.form(p.compare),
		"POST /tasks/{id}/rerun":     p.form(p.rerun),
		"POST /tasks/{id}/repair":    p.form(p.repair),
		"POST /tasks/{id}/undo":      p.form(p.undo),
		"POST /tasks/{id}/confirm":   p.form(p.confirm),
		"POST /tasks/{id}/cancel":    p.form(p.cancel),
	} {
		mux.HandleFunc(pattern, p.handler(show))
	}
	return mux
}

// Serves reports whether a path belongs to the web page. All other paths belong to the
// API.
func (p *Page) Serves(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return path == "/" || slices.Contains([]string{"tasks", "compare", "archive", "events"}, first)
}

// Route returns the pattern of a path that belongs to the web page, for logs.
func (p *Page) Route(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] != "tasks" || len(parts) == 1 {
		return "/" + parts[0]
	}
	if len(parts) == 3 && slices.Contains([]string{"document", "report", "before-images", "script", "rerun", "repair", "undo", "confirm", "cancel"}, parts[2]) {
		return "/tasks/{id}/" + parts[2]
	}
	return "/tasks/{id}"
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Cache-Control":           "no-store",
		"Content-Security-Policy": p.policy,
		"Referrer-Policy":         "same-origin", // with no-referrer, browsers would send Origin: null
		"X-Frame-Options":         "DENY",
	} {
		w.Header().Set(name, value)
	}
	p.mux.ServeHTTP(w, r)
}

// Run reads what open pages need, until the context ends. Then it ends the streams of all
// pages and returns. It reads the data of all clusters, and each page shows only what its
// caller may see.
func (p *Page) Run(ctx context.Context) {
	ctx = caller.AsService(ctx)
	var background sync.WaitGroup
	background.Go(func() { p.history.run(ctx) })
	background.Go(func() { p.nodes.run(ctx) })
	background.Go(func() { p.follow(ctx) })
	background.Wait()
}

// handler returns a handler that calls show. If show returns an error, the handler
// answers with a page that shows the error.
func (p *Page) handler(show func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// Some of the data was read in advance for all callers, so check the caller's
		// right.
		err := caller.Of(r.Context()).Check(api.RightRead)
		if err == nil {
			err = show(w, r)
		} else {
			p.noteRefused(r.Context(), err)
			err = &refusal{http.StatusForbidden, fault.PublicMessage(err)}
		}
		if err != nil {
			p.showError(w, r, err)
		}
	}
}

// noteRefused reports that the caller of a request may not see a page.
func (p *Page) noteRefused(ctx context.Context, err error) {
	var refused *caller.RefusalError
	if errors.As(err, &refused) && p.Refused != nil {
		p.Refused(ctx, "page", refused)
	}
}

// view is the input of the template of every page. Body is the part that differs between
// the templates.
type view struct {
	Title   string
	Current string // the entry of the navigation to which the page belongs
	CSRF    string
	Style   template.CSS
	Script  template.JS
	Rows    template.JS // the script of the differing rows; "" if the page shows no rows
	Version string
	Watch   string // the address of the event stream of the page; "" if it has no stream
	May     may    // what the caller of the page may do
	Body    any
}

// may is what the caller of a page may do. The page shows buttons only for these actions.
// The API, not the page, refuses the others.
type may struct{ Compare, Repair bool }

func (p *Page) view(r *http.Request, title, current string, body any) view {
	return view{
		Title: title, Current: current, CSRF: p.csrf.token(p.Now()), Style: template.CSS(p.style), Script: template.JS(ownScript),
		Version: p.Version, Body: body,
		May: may{Compare: caller.Of(r.Context()).May(api.RightCompare), Repair: caller.Of(r.Context()).May(api.RightRepair)},
	}
}

// show writes a whole page: the template with this name between those that begin and end
// every page. If a template fails, show writes nothing and returns the error.
func (p *Page) show(w http.ResponseWriter, status int, name string, v view) error {
	var out bytes.Buffer
	for _, part := range []string{"begin", name, "end"} {
		if err := p.templates.ExecuteTemplate(&out, part, v); err != nil {
			return fmt.Errorf("page: %w", err)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // fails only if the client is gone
	return nil
}

// showError answers a failed request with a page that shows the reason. The text of an
// error that is not a *refusal may be for developers only. Such an error is logged, and
// the page shows only its public message.
func (p *Page) showError(w http.ResponseWriter, r *http.Request, err error) {
	var refused *refusal
	if !errors.As(err, &refused) {
		refused = &refusal{http.StatusInternalServerError, "The page cannot be shown. The log has the details."}
		if code := fault.CodeOf(err); code != fault.Internal {
			refused.Message = fault.PublicMessage(err)
		}
		p.Log.ErrorContext(r.Context(), "page not shown", "path", r.URL.Path, "error", err)
	}
	if err := p.show(w, refused.Status, "error", p.view(r, http.StatusText(refused.Status), "", refused)); err != nil {
		p.Log.ErrorContext(r.Context(), "page not shown", "path", r.URL.Path, "error", err)
	}
}
