package page

import (
	"maps"
	"net/http"
	"net/url"

	"ace/shared/api"
)

// listLimit is the number of entries on a page of a list. The records of tasks are read
// one after the other, so more entries would take longer.
const listLimit = "25"

// tasksView is the input of the list of tasks.
type tasksView struct {
	api.TaskList
	Filter   url.Values
	Types    []string
	Statuses []string
	Problem  string // why the filter is refused
	NextPage string // the address of the next page of the list
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

// archiveView is the input of the list of documents.
type archiveView struct {
	api.DiffList
	Filter   url.Values
	Verdicts []string
	Formats  []string
	Problem  string // why the filter is refused
	NextPage string // the address of the next page of the list
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

// refusedFilter converts the error of a filter to a text for the page.
func refusedFilter(err error, problem *string) (int, error) {
	if refused, ok := err.(*refusal); ok && refused.Status == http.StatusBadRequest { //nolint:errorlint // get returns it as it is
		*problem = refused.Message
		return refused.Status, nil
	}
	return http.StatusOK, err
}

// chosen returns the parameters with these names that are not empty.
func chosen(given url.Values, names ...string) url.Values {
	query := url.Values{}
	for _, name := range names {
		if value := given.Get(name); value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// limited returns a filter with the limit of a page.
func limited(filter url.Values) url.Values {
	query := maps.Clone(filter)
	query.Set("limit", listLimit)
	return query
}

// nextPage returns the address of the next page of a list, or "" if there is none.
func nextPage(path string, query url.Values, after string) string {
	if after == "" {
		return ""
	}
	next := maps.Clone(query)
	next.Set("after", after)
	return path + "?" + next.Encode()
}

// operation returns the declaration of an operation of the API.
func operation(name string) api.Operation {
	for _, o := range api.Operations() {
		if o.Name == name {
			return o
		}
	}
	return api.Operation{}
}
