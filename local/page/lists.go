package page

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"

	"ace/shared/api"
)

// listLimit is the maximum number of entries on a page of a list. It is small because the
// API reads the records of the listed tasks one after the other.
const listLimit = "25"

// tasksView is the input of the template that shows the list of tasks.
type tasksView struct {
	api.TaskList
	Filter   url.Values
	Types    []string
	Statuses []string
	Problem  string // why the API has refused the filter; "" if it has not
	NextPage string // the address of the next page of the list; "" if there is none
}

func (p *Page) showTasks(w http.ResponseWriter, r *http.Request) error {
	query := chosen(r.URL.Query(), "cluster_name", "table_name", "task_type", "status", "parent", "after")
	t := tasksView{Filter: query, Types: choices("tasks", "task_type"), Statuses: choices("tasks", "status")}
	status, err := p.readList(r.Context(), api.RouteTasks, query, &t.TaskList, &t.Problem)
	if err != nil {
		return err
	}
	t.NextPage = nextPage("/tasks", query, t.Next)
	return p.show(w, status, "tasks", p.view(r, "Tasks", "tasks", t))
}

// archiveView is the input of the template that shows the list of documents.
type archiveView struct {
	api.DiffList
	Filter   url.Values
	Verdicts []string
	Formats  []string
	Problem  string // why the API has refused the filter; "" if it has not
	NextPage string // the address of the next page of the list; "" if there is none
}

func (p *Page) showArchive(w http.ResponseWriter, r *http.Request) error {
	query := chosen(r.URL.Query(), "cluster_name", "table_name", "verdict", "since", "until", "after")
	a := archiveView{Filter: query, Verdicts: choices("diffs", "verdict"), Formats: []string{api.FormatHTML, api.FormatCSV, api.FormatJSON}}
	status, err := p.readList(r.Context(), api.RouteDiffs, query, &a.DiffList, &a.Problem)
	if err != nil {
		return err
	}
	a.NextPage = nextPage("/archive", query, a.Next)
	return p.show(w, status, "archive", p.view(r, "Archive", "archive", a))
}

// readList reads a page of the list of a route into list. If the API refuses the filter,
// readList stores the reason in problem and returns status 400 without an error, so that
// the page shows the filter and the reason. Otherwise it returns status 200.
func (p *Page) readList(ctx context.Context, route api.Route, filter url.Values, list any, problem *string) (int, error) {
	query := maps.Clone(filter)
	query.Set("limit", listLimit)
	raw, err := get[json.RawMessage](ctx, p.API, route.Path(""), query)
	if refused, ok := err.(*refusal); ok && refused.Status == http.StatusBadRequest { //nolint:errorlint // get returns it as it is
		*problem = refused.Message
		return refused.Status, nil
	}
	if err != nil {
		return 0, err
	}
	return http.StatusOK, json.Unmarshal(raw, list)
}

// choices returns the values that a parameter of an operation of the API may have.
func choices(name, param string) []string {
	for _, p := range operation(name).Params {
		if p.Name == param {
			return p.Values.OneOf
		}
	}
	return nil
}

// chosen returns the parameters in given whose names are in names and whose values are
// not empty.
func chosen(given url.Values, names ...string) url.Values {
	query := url.Values{}
	for _, name := range names {
		if value := given.Get(name); value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// nextPage returns the address of the next page of a list, or "" if there is none. after
// is the value of next in the API's answer; the API returns "" for the last page.
func nextPage(path string, query url.Values, after string) string {
	if after == "" {
		return ""
	}
	next := maps.Clone(query)
	next.Set("after", after)
	return path + "?" + next.Encode()
}

// operation returns the declaration of the operation of the API with this name, which has
// the operation's parameters. The zero Operation means that there is none.
func operation(name string) api.Operation {
	for _, o := range api.Operations() {
		if o.Name == name {
			return o
		}
	}
	return api.Operation{}
}
