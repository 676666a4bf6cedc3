package page

import (
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
	t := tasksView{Filter: query}
	for _, param := range operation("tasks").Params {
		switch param.Name {
		case "task_type":
			t.Types = param.Values.OneOf
		case "status":
			t.Statuses = param.Values.OneOf
		}
	}
	var err error
	t.TaskList, err = get[api.TaskList](r.Context(), p.API, api.RouteTasks.Path(""), limited(query))
	status, err := refusedFilter(err, &t.Problem)
	if err != nil {
		return err
	}
	t.NextPage = nextPage("/tasks", query, t.Next)
	return p.show(w, status, "tasks", p.view("Tasks", "tasks", t))
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
	a := archiveView{Filter: query, Formats: []string{api.FormatHTML, api.FormatCSV, api.FormatJSON}}
	for _, param := range operation("diffs").Params {
		if param.Name == "verdict" {
			a.Verdicts = param.Values.OneOf
		}
	}
	var err error
	a.DiffList, err = get[api.DiffList](r.Context(), p.API, api.RouteDiffs.Path(""), limited(query))
	status, err := refusedFilter(err, &a.Problem)
	if err != nil {
		return err
	}
	a.NextPage = nextPage("/archive", query, a.Next)
	return p.show(w, status, "archive", p.view("Archive", "archive", a))
}

// refusedFilter handles the error of a request for a list. If the API has refused the
// filter, refusedFilter stores the reason in problem and returns status 400 without an
// error, so that the page shows the filter and the reason. Otherwise it returns status
// 200 and err.
func refusedFilter(err error, problem *string) (int, error) {
	if refused, ok := err.(*refusal); ok && refused.Status == http.StatusBadRequest { //nolint:errorlint // get returns it as it is
		*problem = refused.Message
		return refused.Status, nil
	}
	return http.StatusOK, err
}

// chosen returns the given parameters that have one of these names and are not empty.
func chosen(given url.Values, names ...string) url.Values {
	query := url.Values{}
	for _, name := range names {
		if value := given.Get(name); value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// limited returns a copy of a filter with the parameter limit, set to listLimit.
func limited(filter url.Values) url.Values {
	query := maps.Clone(filter)
	query.Set("limit", listLimit)
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
