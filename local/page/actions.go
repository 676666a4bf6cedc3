package page

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"ace/shared/api"
)

// maxForm is the maximum size of a form in bytes. The longest field, table_filter, may
// have 8 kB.
const maxForm = 64 << 10

// form returns a handler for a form that starts or changes something. It checks the token
// of the form before it calls send.
func (p *Page) form(send func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return &refusal{http.StatusBadRequest, "the form is malformed or too large"}
		}
		if !p.csrf.valid(r.PostForm.Get("csrf"), p.Now()) {
			return &refusal{http.StatusForbidden, "the form is from an earlier start of the service, or more than 12 hours old; open the page again and repeat the step"}
		}
		return send(w, r)
	}
}

// toTask redirects the browser to the page of a task.
func toTask(w http.ResponseWriter, r *http.Request, id string) error {
	http.Redirect(w, r, "/tasks/"+url.PathEscape(id), http.StatusSeeOther)
	return nil
}

// submit starts a task with the parameters in form and redirects the browser to the page
// of the task.
func (p *Page) submit(w http.ResponseWriter, r *http.Request, route api.Route, form url.Values) error {
	submitted, err := post[api.Submitted](r.Context(), p.API, route.Path(""), form)
	if err != nil {
		return err
	}
	return toTask(w, r, submitted.TaskID)
}

// subject returns the parameters that a task based on a comparison needs: the cluster,
// the database and the table of the comparison, and its document (diff_file).
func subject(status api.TaskStatus) url.Values {
	form := url.Values{"cluster_name": {status.ClusterName}, "table_name": {status.TableName}, "diff_file": {status.TaskID}}
	if name := parameterOf(status, "dbname"); name != "" {
		form.Set("dbname", name)
	}
	return form
}

// parameterOf returns the value of a text parameter with which a task was submitted, or
// "" if the parameter was not set.
func parameterOf(status api.TaskStatus, name string) string {
	var values map[string]any
	_ = json.Unmarshal(status.Parameters, &values) // a task without readable parameters has none
	text, _ := values[name].(string)
	return text
}

// rerun starts a rerun of the comparison that the page shows. On the page of a repair or
// undo, it starts a rerun of the document that was repaired.
func (p *Page) rerun(w http.ResponseWriter, r *http.Request) error {
	status, err := p.status(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	form := subject(status)
	if document, err := p.repaired(r, status); err != nil {
		return err
	} else if document != "" {
		form.Set("diff_file", document)
	}
	return p.submit(w, r, api.RouteTableRerun, form)
}

// repaired returns the document whose rows a repair has repaired. For an undo, it returns
// the document of the repair that was undone. It returns "" for other tasks.
func (p *Page) repaired(r *http.Request, status api.TaskStatus) (document string, err error) {
	if status.TaskType == api.TypeTableUndo {
		if status, err = p.status(r.Context(), parameterOf(status, "task_id")); err != nil {
			return "", err
		}
	}
	if status.TaskType != api.TypeTableRepair {
		return "", nil
	}
	return parameterOf(status, "diff_file"), nil
}

// repair starts the dry run of a repair of the rows in the document of a comparison.
func (p *Page) repair(w http.ResponseWriter, r *http.Request) error {
	status, err := p.status(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	form := subject(status)
	form.Set("dry_run", "true")
	for _, param := range operation("table-repair").Params {
		if value := r.PostForm.Get(param.Name); value != "" && !form.Has(param.Name) {
			form.Set(param.Name, value)
		}
	}
	return p.submit(w, r, api.RouteTableRepair, form)
}

// undo starts the dry run of an undo.
func (p *Page) undo(w http.ResponseWriter, r *http.Request) error {
	return p.submit(w, r, api.RouteTableUndo, url.Values{"task_id": {r.PathValue("id")}, "dry_run": {"true"}})
}

// confirm starts the repair or undo that a dry run has tried, with the same parameters.
// The form must contain the statement that the page of this dry run shows.
func (p *Page) confirm(w http.ResponseWriter, r *http.Request) error {
	t, err := p.readTask(r)
	if err != nil {
		return err
	}
	if t.Confirm == nil {
		return &refusal{http.StatusConflict, "this task is no dry run that can be carried out"}
	}
	if r.PostForm.Get("confirmed") != t.Confirm.Statement() {
		return &refusal{http.StatusBadRequest, "nothing was changed: check the box to confirm that you want to " + t.Confirm.Statement()}
	}

	var object map[string]any
	if err := json.Unmarshal(t.TaskStatus.Parameters, &object); err != nil {
		return err
	}
	for name, value := range object {
		if value == nil || value == "" || slices.Contains([]string{"dry_run", "generate_sql"}, name) {
			delete(object, name)
		}
	}
	route := api.RouteTableUndo
	if t.TaskType == api.TypeTableRepair {
		route = api.RouteTableRepair
		object["generate_report"] = true // the report has each changed row before and after
	}
	submitted, err := postJSON[api.Submitted](r.Context(), p.API, route.Path(""), object)
	if err != nil {
		return err
	}
	return toTask(w, r, submitted.TaskID)
}

func (p *Page) cancel(w http.ResponseWriter, r *http.Request) error {
	status, err := post[api.TaskStatus](r.Context(), p.API, api.RouteTaskCancel.Path(r.PathValue("id")), nil)
	if err != nil {
		return err
	}
	return toTask(w, r, status.TaskID)
}
