package page

import (
	"context"
	"net/http"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/caller"
)

const (
	nodesMaxAge = 30 * time.Second // the nodes are checked again if the last check is older
	nodesTime   = 20 * time.Second // bounds one check of the nodes
	// firstWait bounds the wait of the overview for the first part of the history after the
	// start of the service.
	firstWait = 80 * time.Millisecond
	// shownTables is the maximum number of tables on the overview.
	shownTables = 200
)

// readNodes checks the nodes of all clusters.
func (p *Page) readNodes(ctx context.Context, _ kept[[]api.ClusterCheck]) ([]api.ClusterCheck, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, nodesTime)
	defer cancel()
	list, err := get[api.ClusterCheckList](ctx, p.API, api.RouteClusterCheck.Path(""), nil)
	return list.Clusters, false, err
}

// overview is the input of the template that shows the overview.
type overview struct {
	Clusters []clusterView
	Checked  time.Time // when the nodes were checked
	Running  running
	Tables   []tableRow
	// All is the number of tables in the history. Comparisons of schemas also have entries
	// in the history; All, Differing and Partial do not count them.
	All       int
	More      int // number of entries of the history that are not in Tables
	Differing int // number of tables whose last verdict is "differ"
	// Partial is the number of tables whose last verdict is about a part of the table and
	// is not "differ".
	Partial   int
	Sets      int64 // number of schema comparisons in the history
	SetsOther int64 // number of schema comparisons whose last verdict is not "match"
	Read      int   // number of documents of the archive that were read
	Reading   bool  // older documents of the archive are still being read
	Shortened bool  // the archive has more than maxHistory documents; the oldest are not read
	Schedules []api.Schedule
	Problems  []string // why parts of the overview could not be read
}

// clusterView is a cluster with the results of the last check of its nodes.
type clusterView struct {
	api.Cluster
	Checks []nodeView
}

// nodeView is one database of a node.
type nodeView struct {
	Name, DBName, Host string
	Known              bool // the node was checked; if not, only Name and Host are set
	Usable             bool
	Version            string
	Error, Remedy      string
}

func (p *Page) showOverview(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	o := &overview{}
	clusters, err := get[api.ClusterList](ctx, p.API, api.RouteClusters.Path(""), nil)
	o.note("the clusters", err)
	schedules, err := get[api.ScheduleList](ctx, p.API, api.RouteSchedules.Path(""), nil)
	o.note("the schedules", err)
	o.Schedules = schedules.Schedules
	o.Running, err = p.readRunning(ctx)
	o.note("the running tasks", err)

	past := p.history.get(ctx, firstWait)
	o.note("the archive", past.Err)
	o.Tables, o.Reading, o.Read = past.Value.rows(caller.Of(ctx).Sees), !past.Complete, past.Value.read
	o.Shortened = past.Complete && past.Value.next != ""
	for _, row := range o.Tables {
		if !isComparison(row.Last.Type) {
			o.Sets++
			if row.Last.Verdict != api.VerdictMatch {
				o.SetsOther++
			}
			continue
		}
		o.All++
		switch {
		case row.Last.Verdict == api.VerdictDiffer:
			o.Differing++
		case row.Last.Partial != "":
			o.Partial++
		}
	}
	if o.More = max(0, len(o.Tables)-shownTables); o.More > 0 {
		o.Tables = o.Tables[:shownTables]
	}

	checks := p.nodes.get(ctx, 0)
	o.note("the nodes", checks.Err)
	o.Checked = checks.At
	for _, cluster := range clusters.Clusters {
		o.Clusters = append(o.Clusters, clusterView{cluster, nodeViews(cluster, checks.Value)})
	}

	v := p.view(r, "Overview", "overview", o)
	v.Watch = "/events"
	return p.show(w, http.StatusOK, "overview", v)
}

// note adds the reason why a part of the overview, what, could not be read, if err is not
// nil. The other parts are shown anyway.
func (o *overview) note(what string, err error) {
	if err != nil {
		o.Problems = append(o.Problems, what+": "+publicError(err))
	}
}

// nodeViews returns the nodes of a cluster with the results of their last check. If there
// is none, it returns only the names and hosts of the nodes.
func nodeViews(cluster api.Cluster, checks []api.ClusterCheck) []nodeView {
	for _, check := range checks {
		if check.ClusterName != cluster.ClusterName || len(check.Nodes) == 0 {
			continue
		}
		var views []nodeView
		for _, node := range check.Nodes {
			v := nodeView{Name: node.Node, DBName: node.DBName, Host: node.Address, Known: true, Usable: node.Usable, Error: node.Error, Remedy: node.Remedy}
			if node.Server != nil {
				v.Version, _, _ = strings.Cut(node.Server.Version, " ")
			}
			views = append(views, v)
		}
		return views
	}

	var views []nodeView
	for _, node := range cluster.Nodes {
		views = append(views, nodeView{Name: node.Node, Host: node.Host})
	}
	return views
}
