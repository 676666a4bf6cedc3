//go:build !unit

package app_test

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// answerLimit bounds the answer of a request if some nodes do not answer: the time limits
// of one node, and time for a loaded machine.
const answerLimit = 20 * time.Second

// closedPort returns a port at which nothing listens.
func closedPort(t *testing.T) int {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	at, _ := listener.Addr().(*net.TCPAddr)
	return at.Port
}

// unansweringNodes returns a cluster with nodes of PostgreSQL 15 and 18, one that is
// down, one that accepts connections and never answers, and one that the returned proxy
// can freeze.
func unansweringNodes(t *testing.T) (good, all *pgtest.Cluster, frozen *pgtest.Proxy) {
	t.Helper()
	good = pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	more := *good
	more.Nodes = slices.Concat(good.Nodes, []pgtest.Node{good.Nodes[0], good.Nodes[0], good.Nodes[0]})
	for i, name := range []string{"down", "silent", "frozen"} {
		more.Nodes[2+i].Name = name
	}
	silent := pgtest.NewProxy(t, good.Nodes[0])
	silent.SilenceAtMessage(0, pgtest.Unreachable)
	frozen = pgtest.NewProxy(t, good.Nodes[0])
	all = pointed(&more, 2, "127.0.0.1", closedPort(t))
	all = pointed(all, 3, "127.0.0.1", silent.Port())
	return good, pointed(all, 4, "127.0.0.1", frozen.Port()), frozen
}

// A node that is down or does not answer is part of the answers and delays them by
// seconds at most. Requests at the same time share their connections.
func TestInventory_ANodeThatDoesNotAnswerIsPartOfTheAnswer(t *testing.T) {
	t.Parallel()
	good, c, proxy := unansweringNodes(t)
	good.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	s := apptest.New(t, c, apptest.Options{})

	begun := time.Now()
	frozen := proxy.SilenceAt("SELECT", pgtest.Frozen)
	var requests sync.WaitGroup
	var tables api.TableList
	checks := make([]api.ClusterCheckList, 3)
	for i := range checks {
		requests.Go(func() { s.Get(t, "/ace/cluster-check", url.Values{"cluster_name": {c.Name}}, &checks[i]) })
	}
	<-frozen
	proxy.SilenceAt("SELECT", pgtest.Frozen)
	requests.Go(func() { s.Get(t, "/ace/tables", url.Values{"cluster_name": {c.Name}}, &tables) })
	requests.Wait()
	if took := time.Since(begun); took > answerLimit {
		t.Errorf("the answers took %s", took)
	}

	for _, list := range checks {
		nodes := list.Clusters[0].Nodes
		if len(list.Clusters) != 1 || len(nodes) != 5 {
			t.Fatalf("%+v", list)
		}
		for i, node := range nodes {
			if i < 2 {
				server := node.Server
				if !node.Usable || server == nil || !strings.HasPrefix(server.Version, []string{"15.", "18."}[i]) || !server.Superuser || !server.CanRepair || server.InRecovery {
					t.Errorf("%+v %+v", node, server)
				}
				continue
			}
			if node.Usable || node.Server != nil || !strings.Contains(node.Error, "is unreachable") || !strings.Contains(node.Remedy, "pg_hba.conf") {
				t.Errorf("%+v", node)
			}
		}
	}

	var unread []string
	for _, node := range tables.UnreadNodes {
		unread = append(unread, node.Node)
	}
	if !slices.Equal(unread, []string{"down", "silent", "frozen"}) || len(tables.Tables) != 1 || tables.Tables[0].MissingOn != nil || !slices.Equal(tables.Tables[0].Key, []string{"id"}) {
		t.Errorf("%+v", tables)
	}
}

func TestInventory_ListsTablesWithTheirKeysAndLastComparisons(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	c.ExecAll(t, `CREATE TABLE users (id int PRIMARY KEY, v int)`, `INSERT INTO users SELECT i, i FROM generate_series(1, 50) i`, `ANALYZE users`,
		`CREATE TABLE keyless (id int)`, `CREATE TABLE filtered (id int PRIMARY KEY)`, `CREATE SCHEMA "S"`, `CREATE TABLE "S"."a"".b" (id int PRIMARY KEY)`)
	c.Exec(t, 0, `CREATE TABLE types (id int PRIMARY KEY)`, `CREATE TABLE lonely (id int, k int NOT NULL UNIQUE)`)
	c.Exec(t, 1, `CREATE TABLE types (id text PRIMARY KEY)`, `UPDATE users SET v = 0 WHERE id < 4`)
	s := apptest.New(t, c, apptest.Options{})
	users := s.Diff(t, "public.users").TaskID
	filtered := s.Diff(t, "public.filtered", "table_filter", "id > 5").TaskID
	hostile := s.Diff(t, `"S"."a"".b"`).TaskID

	var all []api.ListedTable
	query := url.Values{"cluster_name": {c.Name}, "limit": {"3"}}
	for {
		var page api.TableList
		s.Get(t, "/ace/tables", query, &page)
		if all = append(all, page.Tables...); page.Next == "" {
			break
		}
		query.Set("after", page.Next)
	}
	for i, last := range []string{hostile, filtered, "", "", "", users} {
		of := all[i].LastComparison
		if last == "" {
			if of != nil {
				t.Errorf("%s was never compared: %+v", all[i].TableName, of)
			}
			continue
		}
		if of == nil || of.TaskID != last || of.TaskType != api.TypeTableDiff || of.FinishedAt.IsZero() {
			t.Fatalf("the last comparison of %s is %+v, want %s", all[i].TableName, of, last)
		}
		if isFiltered := of.TableFilter != ""; isFiltered != (last == filtered) {
			t.Errorf("the filter of %s is %q", all[i].TableName, of.TableFilter)
		}
	}
	if of := all[5].LastComparison; of.Verdict != api.VerdictDiffer || of.MismatchedRows != 3 || of.TotalRows != 50 {
		t.Errorf("%+v", of)
	}

	zero, fifty := int64(0), int64(50)
	want := []api.ListedTable{
		{TableName: `"S"."a"".b"`, Key: []string{"id"}}, {TableName: "public.filtered", Key: []string{"id"}},
		{TableName: "public.keyless", NoKey: "rows cannot be matched"}, {TableName: "public.lonely", Key: []string{"k"}, MissingOn: []string{"n2"}},
		{TableName: "public.types", NoKey: "rows cannot be matched"}, {TableName: "public.users", Key: []string{"id"}, EstimatedRows: &fifty},
	}
	for i := range all {
		all[i].LastComparison = nil
		all[i].NoKey, _, _ = strings.Cut(all[i].NoKey, ",")
		if all[i].EstimatedRows != nil && *all[i].EstimatedRows == zero {
			all[i].EstimatedRows = nil
		}
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	var one api.TableList
	s.Get(t, "/ace/tables", url.Values{"cluster_name": {c.Name}, "dbname": {c.DB}, "schema": {`"S"`}}, &one)
	if len(one.Tables) != 1 || one.DBName != c.DB || one.Tables[0].LastComparison.TaskID != hostile {
		t.Errorf("%+v", one)
	}
}

// The list of clusters connects to no node, and no answer has a secret.
func TestInventory_ListsDefinitionsWithoutSecrets(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(2))
	s := apptest.New(t, c, apptest.Options{})
	files := map[string]string{
		"broken.json": `{"pgedge": {`,
		"closed.json": `{"pgedge": {"databases": [{"db_name": "shop", "db_user": "ace", "db_password": "hunter2", "sslmode": "require",
			"sslkey": "/keys/k", "sslpassword": "hunter2", "options": "-c app.token=hunter2"}]}, "node_groups": [
			{"name": "n1", "public_ip": "192.0.2.1", "port": 5433, "db_password": "hunter2", "connect_timeout": 3},
			{"name": "n2", "public_ip": "192.0.2.2", "db_password_secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hunter2-AbCdEf"},
			{"name": "n3", "public_ip": "192.0.2.3", "is_active": "off"}]}`,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.Clusters, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/clusters"})
	if response.Status != 200 || strings.Contains(string(response.Body), "hunter2") || strings.Contains(string(response.Body), c.Password) {
		t.Fatalf("status %d: %s", response.Status, response.Body)
	}
	var list api.ClusterList
	if err := json.Unmarshal(response.Body, &list); err != nil || len(list.Clusters) != 3 {
		t.Fatalf("%v, %+v", err, list)
	}
	if broken := list.Clusters[0]; broken.ClusterName != "broken" || !strings.Contains(broken.Error, "not valid JSON") || broken.Nodes != nil {
		t.Errorf("%+v", broken)
	}
	want := api.Cluster{
		ClusterName: "closed", InactiveNodes: []string{"n3"},
		Databases: []api.ClusterDatabase{{DBName: "shop", Options: map[string]string{"sslmode": "require", "sslkey": "/keys/k"}}},
		Nodes: []api.ClusterNode{
			{Node: "n1", Host: "192.0.2.1", Port: 5433, Options: map[string]string{"connect_timeout": "3"}},
			{Node: "n2", Host: "192.0.2.2", Port: 5432},
		},
	}
	if diff := cmp.Diff(want, list.Clusters[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	for path, query := range map[string]string{"/ace/clusters": "cluster_name=nowhere", "/ace/cluster-check": "cluster_name=nowhere", "/ace/tables": "cluster_name=nowhere"} {
		response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: path, RawQuery: query})
		if response.Status != 404 || !strings.Contains(string(response.Body), "there is no cluster nowhere; the defined clusters are broken, closed, "+c.Name) {
			t.Errorf("%s: status %d: %s", path, response.Status, response.Body)
		}
	}
}

func TestInventory_AskedWithFewPrivileges(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	check, repair := c.Roles(t)
	for _, tt := range []struct {
		as        *pgtest.Cluster
		canRepair bool
	}{{check, false}, {repair, true}} {
		s := apptest.New(t, tt.as, apptest.Options{})
		var list api.ClusterCheckList
		s.Get(t, "/ace/cluster-check", nil, &list)
		for _, node := range list.Clusters[0].Nodes {
			obstacles := strings.Join(node.Server.RepairObstacles, "; ")
			refused := strings.Contains(obstacles, `GRANT SET ON PARAMETER session_replication_role TO "`+tt.as.User+`"`)
			if !node.Usable || node.Server.Superuser || node.Server.Role != tt.as.User || node.Server.CanRepair != tt.canRepair || refused == tt.canRepair {
				t.Errorf("%+v, %+v", node, node.Server)
			}
		}
	}
}
