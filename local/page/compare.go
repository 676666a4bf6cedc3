package page

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ace/shared/api"
)

// offeredTables is the maximum number of tables that the form shows. The other tables are
// found by a search.
const offeredTables = 200

// compareView is the input of the form of a new comparison.
type compareView struct {
	Clusters []api.Cluster
	Cluster  *api.Cluster // the cluster that the user has chosen; nil if none is chosen
	DBName   string
	Search   string
	Tables   []tableOption
	Hidden   int // number of tables that match Search but are not in Tables
	All      int // number of tables of the database
	Chosen   string
	Unread   []api.UnreadNode // nodes whose tables could not be read
	Nodes    []nodeOption
	Usual    []field // options that are often needed
	Rare     []field // the other options
	Problem  string  // why the form was refused, or why the tables cannot be listed; "" if there is no problem
}

// tableOption is a table in the list of the form.
type tableOption struct {
	api.ListedTable
	Last    *point
	Checked bool
}

// nodeOption is a node in the form.
type nodeOption struct {
	Name    string
	Checked bool
}

// Opened reports whether the form shows the rare options unfolded. It does if one of them
// has a value other than its default.
func (c *compareView) Opened() bool {
	return slices.ContainsFunc(c.Rare, func(f field) bool { return f.Value != "" && f.Value != f.Default })
}

// notFields are the parameters for which compareForm creates no field. The form has
// elements of its own for them, or does not offer them ("quiet").
var notFields = []string{"cluster_name", "table_name", "dbname", "nodes", "quiet"} //nolint:gochecknoglobals // a constant list

// usualFields are the parameters that the form always shows. A reader must unfold the
// others.
var usualFields = []string{"table_filter", "ignore_columns", "baseline"} //nolint:gochecknoglobals // a constant list

func (p *Page) showCompare(w http.ResponseWriter, r *http.Request) error {
	return p.compareForm(w, r, r.URL.Query(), "")
}

// compare starts the comparison that a form describes. If the API refuses it as invalid,
// compare shows the form again, with the entered values and the reason.
func (p *Page) compare(w http.ResponseWriter, r *http.Request) error {
	form := url.Values{}
	for _, param := range operation("table-diff").Params {
		if value := strings.TrimSpace(r.PostForm.Get(param.Name)); value != "" && param.Name != "nodes" {
			form.Set(param.Name, value)
		}
	}
	if nodes := r.PostForm["node"]; len(nodes) > 0 {
		form.Set("nodes", strings.Join(nodes, ","))
	}
	err := p.submit(w, r, api.RouteTableDiff, form)
	var refused *refusal
	if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		return p.compareForm(w, r, r.PostForm, refused.Message)
	}
	return err
}

// compareForm shows the form of a new comparison with these values. problem is the reason
// why the API has refused the values; "" means that it has not.
func (p *Page) compareForm(w http.ResponseWriter, r *http.Request, values url.Values, problem string) error {
	c := &compareView{Problem: problem, Search: values.Get("q"), Chosen: values.Get("table_name"), DBName: values.Get("dbname")}
	clusters, err := get[api.ClusterList](r.Context(), p.API, api.RouteClusters.Path(""), nil)
	if err != nil {
		return err
	}
	for _, cluster := range clusters.Clusters {
		if cluster.Error == "" {
			c.Clusters = append(c.Clusters, cluster)
		}
	}
	c.choose(values)
	if c.Cluster != nil {
		p.listTables(r, c)
	}

	var rare []string
	for _, param := range operation("table-diff").Params {
		if !slices.Contains(notFields, param.Name) && !slices.Contains(usualFields, param.Name) {
			rare = append(rare, param.Name)
		}
	}
	c.Usual, c.Rare = fieldsOf("table-diff", usualFields, values), fieldsOf("table-diff", rare, values)

	status := http.StatusOK
	if problem != "" {
		status = http.StatusBadRequest
	}
	return p.show(w, status, "compare", p.view(r, "New comparison", "compare", c))
}

// choose sets the cluster that the values name, or the only cluster, and the database. It
// lists the nodes of the cluster; all of them are checked if the values name none.
func (c *compareView) choose(values url.Values) {
	name := values.Get("cluster_name")
	if at := slices.IndexFunc(c.Clusters, func(cluster api.Cluster) bool { return cluster.ClusterName == name }); at >= 0 {
		c.Cluster = &c.Clusters[at]
	} else if len(c.Clusters) == 1 {
		c.Cluster = &c.Clusters[0]
	}
	if c.Cluster == nil {
		return
	}
	if c.DBName == "" && len(c.Cluster.Databases) > 0 {
		c.DBName = c.Cluster.Databases[0].DBName
	}
	for _, node := range c.Cluster.Nodes {
		chosen := len(values["node"]) == 0 || slices.Contains(values["node"], node.Node)
		c.Nodes = append(c.Nodes, nodeOption{node.Node, chosen})
	}
}

// listTables adds the tables of the database whose names contain the search text, at most
// offeredTables, and the chosen table.
func (p *Page) listTables(r *http.Request, c *compareView) {
	query := url.Values{"cluster_name": {c.Cluster.ClusterName}, "dbname": {c.DBName}, "limit": {"1000"}}
	for {
		list, err := get[api.TableList](r.Context(), p.API, api.RouteTables.Path(""), query)
		if err != nil {
			if c.Problem == "" {
				c.Problem = publicError(err)
			}
			return
		}
		c.Unread = list.UnreadNodes
		for _, table := range list.Tables {
			c.offer(table)
		}
		if list.Next == "" {
			return
		}
		query.Set("after", list.Next)
	}
}

// offer counts a table. It adds the table to the list if it is the chosen one, or if the
// search finds it and the list is not full.
func (c *compareView) offer(table api.ListedTable) {
	c.All++
	chosen := table.TableName == c.Chosen
	if !chosen && !strings.Contains(strings.ToLower(table.TableName), strings.ToLower(c.Search)) {
		return
	}
	if !chosen && len(c.Tables) >= offeredTables {
		c.Hidden++
		return
	}
	option := tableOption{ListedTable: table, Checked: chosen}
	if last := table.LastComparison; last != nil {
		option.Last = &point{TaskID: last.TaskID, At: last.FinishedAt.Time, Verdict: last.Verdict, Mismatched: last.MismatchedRows, Partial: partial(api.ArchivedDiff{
			TaskType: last.TaskType, TableFilter: last.TableFilter, Nodes: last.Nodes, IgnoreColumns: last.IgnoreColumns,
		})}
	}
	c.Tables = append(c.Tables, option)
}
