//go:build !unit

package app_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/ruleoracle"
	"ace/infra/testkit/soak"
	"ace/shared/api"
)

// ruleTable is a kind of key that the tables of the property test have.
type ruleTable struct {
	columns    string   // the definitions of the columns of the key
	keyColumns []string // the primary key
	literal    string   // the values of the key %d
	other      string   // another spelling of the same key, or ""
	same       string   // a text that is the same for all spellings of a key
}

func (t ruleTable) key() string { return strings.Join(t.keyColumns, ", ") }

func ruleTables() []ruleTable {
	return []ruleTable{
		{columns: `id int`, keyColumns: []string{"id"}, literal: `%d`, same: `id::text`},
		{columns: `a text COLLATE "C", b int`, keyColumns: []string{"b", "a"}, literal: `'it''s', %d`, same: `b || '|' || a`},
		{columns: `id numeric`, keyColumns: []string{"id"}, literal: `%d`, other: `%d.00`, same: `trim_scale(id)::text`},
	}
}

// ruleValues are the values of the other columns. Some are equal by the type's operator
// but have different texts.
func ruleValues() [][]string {
	return [][]string{
		{`NULL`, `''`, `'a'`, `'NULL'`},               // v text
		{`NULL`, `1`, `1.0`, `'NaN'`},                 // n numeric
		{`NULL`, `0`, `'-0'`, `1.5`},                  // f float8
		{`NULL`, `'a'`, `'A'`, `'b'`},                 // c text, 'a' = 'A'
		{`NULL`, `'{"a": 1}'`, `'{"a": 1.0}'`, `'0'`}, // j jsonb
	}
}

// testOrigin is the replication origin of the rows whose commit time is known.
const testOrigin = "test"

const (
	ruleColumns = `v text, n numeric, f float8, c text COLLATE either_case, j jsonb`
	readColumns = `v, n, f, c, j`
)

// ruleRound is a table with random rows, and the repair of it.
type ruleRound struct {
	table   string
	shape   ruleTable
	insert  []map[string][]string // for each node, the rows by commit time; "" is a time that is not known
	nodes   []int                 // the nodes of the document, in the order of the request
	change  func(*api.TableRepairRequest)
	resolve string
	oracle  ruleoracle.Oracle
	// document is that of resolve=rules, or nil.
	document *ruleDocument
	target   []int // the nodes that are repaired
	writes   appWrites
}

// drawRound returns the round of a number with the seed of the test.
func drawRound(c *pgtest.Cluster, r *rand.Rand, number int) ruleRound {
	round := ruleRound{table: fmt.Sprintf("public.r%d", number), shape: oneOf(r, ruleTables()...)}
	for range c.Nodes {
		round.insert = append(round.insert, map[string][]string{})
	}
	times := []string{"00", "00.4", "00.5", "01", "01.5", "02", "03", "05", "09"}
	if r.IntN(2) == 0 {
		times = append(times, "")
	}
	for id := range 20 + r.IntN(21) {
		round.drawRows(r, id, times)
	}
	round.nodes = r.Perm(len(c.Nodes))
	if r.IntN(5) == 0 {
		round.nodes = round.nodes[:2]
	}
	strategies := []string{api.ResolveNewest, api.ResolveMajority, api.ResolveRules, api.ResolveUnion, api.ResolveFillNulls, api.ResolveRules, api.ResolveNewest}
	round.resolve = strategies[number%len(strategies)]
	round.oracle = ruleoracle.Oracle{TieBreaker: -1}
	if round.resolve == api.ResolveRules {
		round.document = ruleDrawer{r, c, &round}.document()
	}
	round.drawRequest(c, r)
	round.writes = appWrites{seed: r.Uint64(), at: 1 + r.IntN(3*len(round.target)), rows: map[writtenRow]bool{}, busy: map[int]bool{}}
	return round
}

// drawRows adds a key: equal rows on all nodes, or up to three versions, and no row on
// some nodes.
func (round *ruleRound) drawRows(r *rand.Rand, id int, times []string) {
	columns := ruleValues()
	base := make([]string, len(columns))
	for i := range base {
		base[i] = oneOf(r, columns[i]...)
	}
	versions := [][]string{base}
	for len(versions) < 1+r.IntN(3) {
		version := slices.Clone(base)
		for range 1 + r.IntN(2) {
			i := r.IntN(len(columns))
			version[i] = oneOf(r, append(columns[i], `NULL`, `NULL`, `NULL`)...)
		}
		versions = append(versions, version)
	}
	missing, equal := oneOf(r, 0, 0, 30, 60), r.IntN(5) == 0
	for node := range round.insert {
		if equal {
			versions = versions[:1]
		} else if r.IntN(100) < missing {
			continue
		}
		key := round.shape.literal
		if round.shape.other != "" && !equal && r.IntN(8) == 0 {
			key = round.shape.other
		}
		at := oneOf(r, times...)
		round.insert[node][at] = append(round.insert[node][at], "("+fmt.Sprintf(key, id)+", "+strings.Join(oneOf(r, versions...), ", ")+")")
	}
}

// drawRequest draws the parameters of the repair.
func (round *ruleRound) drawRequest(c *pgtest.Cluster, r *rand.Rand) {
	skew := api.DefaultClockSkew
	timed := round.resolve == api.ResolveNewest || round.document != nil
	if timed {
		round.oracle.Missing = oneOf(r, "", api.MissingInsert, api.MissingDelete, api.MissingSkip)
		skew = api.Duration(oneOf(r, 0, 500*time.Millisecond, time.Second, 3*time.Second))
		round.oracle.TieBreaker = r.IntN(len(round.nodes)+1) - 1
	}
	round.oracle.Skew = time.Duration(skew).Microseconds()
	round.target = round.nodes
	if r.IntN(3) == 0 {
		round.target = slices.Clone(round.nodes)
		r.Shuffle(len(round.target), func(i, k int) { round.target[i], round.target[k] = round.target[k], round.target[i] })
		round.target = round.target[:1+r.IntN(len(round.target))]
	}
	oracle, target := round.oracle, names(c, round.target)
	source := ""
	if oracle.TieBreaker >= 0 {
		source = c.Nodes[round.nodes[oracle.TieBreaker]].Name
	}
	all := len(round.target) == len(round.nodes)
	resolve, document := round.resolve, round.document
	round.change = func(req *api.TableRepairRequest) {
		req.Resolve, req.Missing, req.SourceOfTruth = resolve, oracle.Missing, source
		if timed {
			req.MaxClockSkew = &skew
		}
		if document != nil {
			req.Rules = document.sum
		}
		if !all {
			req.Nodes = target
		}
	}
}

func names(c *pgtest.Cluster, nodes []int) (names []string) {
	for _, node := range nodes {
		names = append(names, c.Nodes[node].Name)
	}
	return names
}

// plantRounds creates the tables of all rounds. The rows whose commit time is not known
// are written while the servers do not record it.
func plantRounds(t *testing.T, c *pgtest.Cluster, rounds []ruleRound) {
	t.Helper()
	for node := range c.Nodes {
		before := []string{`CREATE COLLATION either_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`}
		after := []string{`SELECT pg_replication_origin_create('` + testOrigin + `'), pg_replication_origin_session_setup('` + testOrigin + `')`}
		for _, round := range rounds {
			before = append(before, fmt.Sprintf(`CREATE TABLE %s (%s, %s, PRIMARY KEY (%s))`, round.table, round.shape.columns, ruleColumns, round.shape.key()))
			for _, at := range slices.Sorted(maps.Keys(round.insert[node])) {
				insert := `INSERT INTO ` + round.table + ` VALUES ` + strings.Join(round.insert[node][at], ", ")
				if at == "" {
					before = append(before, insert)
				} else { // the origin is only there to set the commit time
					after = append(after, `SELECT pg_replication_origin_xact_setup('0/1', '2026-01-02 03:04:`+at+`+00'); `+insert)
				}
			}
		}
		c.Exec(t, node, append(before, `ALTER SYSTEM SET track_commit_timestamp = on`)...)
		if err := c.Nodes[node].Server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Exec(t, node, after...)
	}
}

// holding is what each node of the cluster has for each key.
type holding map[string][]ruleoracle.Version

// queried returns a holding that is read by query.
func (round ruleRound) queried(nodes int, query func(node int, sql string) [][]string) holding {
	found := holding{}
	for node := range nodes {
		rows := query(node, fmt.Sprintf(`SELECT %s, trunc(extract(epoch FROM w.timestamp) * 1000000)::text, coalesce(o.roname, ''), %s, %s
FROM %s t, pg_xact_commit_timestamp_origin(t.xmin) w LEFT JOIN pg_replication_origin o ON o.roident = w.roident`,
			round.shape.same, round.shape.key(), readColumns, round.table))
		for _, row := range rows {
			if found[row[0]] == nil {
				found[row[0]] = make([]ruleoracle.Version, nodes)
			}
			micros, err := strconv.ParseInt(row[1], 10, 64)
			found[row[0]][node] = ruleoracle.Version{Row: row[3:], Micros: micros, Timed: err == nil, Origin: row[2], Copied: strings.HasPrefix(row[2], "ace_repair_")}
		}
	}
	return found
}

func (round ruleRound) held(t *testing.T, c *pgtest.Cluster) holding {
	t.Helper()
	return round.queried(len(c.Nodes), func(node int, sql string) [][]string { return c.QueryStrings(t, node, sql) })
}

// at returns what a node has for a key.
func (h holding) at(key string, node int) ruleoracle.Version {
	if h[key] == nil {
		return ruleoracle.Version{}
	}
	return h[key][node]
}

// keysOf returns the keys that any of the holdings has.
func keysOf(holdings ...holding) []string {
	all := map[string]bool{}
	for _, h := range holdings {
		for key := range h {
			all[key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Under each strategy, random rows become what an oracle predicts that follows only
// docs/RULES.md. The dry run announces the same changes, and the undo restores every row.
// A repair during which an application writes keeps what the application wrote.
func TestTableRepair_ByRuleRandomRowsBecomeWhatAnOracleSays(t *testing.T) {
	t.Parallel()
	majors := []int{pgtest.Oldest, pgtest.Newest, pgtest.Oldest, pgtest.Oldest}
	c := pgtest.Own(t, pgtest.Majors(majors[:min(4, soak.Rounds(t, 3, 4))]...))
	r := rand.New(rand.NewPCG(soak.Seed(t), 1))
	rounds := make([]ruleRound, soak.Rounds(t, 7, 400))
	for number := range rounds {
		rounds[number] = drawRound(c, r, number)
	}
	plantRounds(t, c, rounds)

	store := faulty.Wrap(apptest.Store(t))
	s := apptest.New(t, c, apptest.Options{Store: store})
	written := 0
	for number, round := range rounds {
		t.Run(round.table, func(t *testing.T) {
			d := round.check(t, s)
			if number%7 < 4 || len(rounds) > 7 {
				round.checkWithWrites(t, s, store, d)
				written += len(round.writes.rows)
			}
		})
	}
	soak.Report(t, "%d tables, %d rows written during a repair", len(rounds), written)
}

// check repairs and undoes, and returns the document that it used.
func (round ruleRound) check(t *testing.T, s *apptest.Service) apptest.Diff {
	t.Helper()
	c := s.Cluster
	before := round.held(t, c)
	if round.document != nil {
		round.document.sum = addRules(t, s, round.document.table.Text(round.document.Document))
	}
	d := s.Diff(t, round.table, "nodes", strings.Join(names(c, round.nodes), ","))

	dry := repair(t, s, d.TaskID, "", func(req *api.TableRepairRequest) { round.change(req); req.DryRun = true })
	round.checkResult(t, c, before, dry)
	if diff := cmp.Diff(before, round.held(t, c)); diff != "" {
		t.Errorf("the dry run changed (-before +after):\n%s", diff)
	}

	real := repair(t, s, d.TaskID, "", round.change)
	round.checkResult(t, c, before, real)
	round.checkRows(t, c, before, real)

	if u := undo(t, s, real.TaskID, nil); u.Status != api.StatusCompleted && !strings.Contains(u.Error, "nothing to undo") {
		t.Errorf("undo: %s %s", u.Status, u.Error)
	}
	after := round.held(t, c)
	for _, key := range keysOf(before, after) {
		for node := range c.Nodes {
			if got, want := after.at(key, node).Row, before.at(key, node).Row; !ruleoracle.Same(got, want) {
				t.Errorf("after the undo, key %s: %s has %q, want %q", key, c.Nodes[node].Name, got, want)
			}
		}
	}
	if t.Failed() {
		t.Fatalf("%s %+v, document of %v, changed %v, result %+v, rules %+v", round.resolve, round.oracle, names(c, round.nodes), names(c, round.target), real, round.document)
	}
	return d
}

// raisedSkew finds the difference of two clocks in a warning.
var raisedSkew = regexp.MustCompile(`^the clock of node \S+ may be (\S+) ahead of that of node`)

// rulings returns what the oracle says about each key, and the number of keys that each
// rule of a document decided. A clock difference that the repair measured counts if it is
// more than the allowed one.
func (round ruleRound) rulings(held holding, r repaired) (rulings map[string]ruleoracle.Ruling, rules map[string]int64) {
	o := round.oracle
	for _, warning := range r.Warnings {
		if found := raisedSkew.FindStringSubmatch(warning); found != nil {
			skew, err := time.ParseDuration(found[1])
			if err != nil {
				panic(err)
			}
			o.Skew = skew.Microseconds()
		}
	}
	rulings, rules = map[string]ruleoracle.Ruling{}, map[string]int64{}
	for key, all := range held {
		var nodes []ruleoracle.Version
		for _, node := range round.nodes {
			nodes = append(nodes, all[node])
		}
		if round.document == nil {
			rulings[key] = o.Decide(round.resolve, nodes)
			continue
		}
		found := o.DecideBy(round.document.Document, round.document.table, nodes)
		rulings[key] = found
		if found.Kind != ruleoracle.Equal {
			rules[found.Rule]++
		}
	}
	return rulings, rules
}

// checkResult compares the counts of a repair or dry run with the oracle.
func (round ruleRound) checkResult(t *testing.T, c *pgtest.Cluster, before holding, r repaired) {
	t.Helper()
	if r.Status != api.StatusCompleted || r.Undecided == nil {
		t.Fatalf("%s %s", r.Status, r.Error)
	}
	var undecided []string
	want := map[string]api.NodeRepair{}
	rulings, rules := round.rulings(before, r)
	for key, ruling := range rulings {
		if ruling.Kind == ruleoracle.Undecided {
			undecided = append(undecided, key)
		}
		for _, node := range round.target {
			name := c.Nodes[node].Name
			want[name] = countChange(want[name], before.at(key, node).Row, ruling)
		}
	}

	var reported []string
	for _, key := range r.UndecidedKeys {
		reported = append(reported, round.sameKey(key.Key))
		if key.Reason == "" {
			t.Errorf("key %s has no reason", key.Key)
		}
	}
	slices.Sort(undecided)
	slices.Sort(reported)
	if *r.Undecided != int64(len(undecided)) || !slices.Equal(undecided, reported) {
		t.Errorf("dry run %t: %d undecided: %v, want %v", r.DryRun, *r.Undecided, r.UndecidedKeys, undecided)
	}
	for node := range want {
		got := r.Nodes[node]
		if got.Inserted != want[node].Inserted || got.Updated != want[node].Updated || got.Deleted != want[node].Deleted || got.Skipped != 0 || got.Unrepairable != 0 {
			t.Errorf("dry run %t: node %s counts %+v, want %+v", r.DryRun, node, got, want[node])
		}
	}
	if r.Resolve != round.resolve || len(r.Nodes) != len(round.target) {
		t.Errorf("resolve %q, nodes %v", r.Resolve, slices.Collect(maps.Keys(r.Nodes)))
	}
	if diff := cmp.Diff(rules, r.Rules, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("dry run %t: keys that each rule decided (-want +got):\n%s", r.DryRun, diff)
	}
}

// countChange returns the counts with the change of one row.
func countChange(n api.NodeRepair, row []string, r ruleoracle.Ruling) api.NodeRepair {
	switch {
	case r.Kind != ruleoracle.Decided || ruleoracle.Same(row, r.Winner):
	case row == nil:
		n.Inserted++
	case r.Winner == nil:
		n.Deleted++
	default:
		n.Updated++
	}
	return n
}

// sameKey returns a key of a result in the form of ruleTable.same.
func (round ruleRound) sameKey(key []string) string {
	if round.shape.other != "" {
		key = []string{strings.TrimSuffix(key[0], ".00")}
	}
	return strings.Join(key, "|")
}

// checkRows compares the rows of all nodes after a repair with the oracle.
func (round ruleRound) checkRows(t *testing.T, c *pgtest.Cluster, before holding, r repaired) {
	t.Helper()
	after := round.held(t, c)
	rulings, _ := round.rulings(before, r)
	for _, key := range keysOf(before, after) {
		for node := range c.Nodes {
			got, old := after.at(key, node), before.at(key, node)
			want := old.Row
			if rulings[key].Kind == ruleoracle.Decided && slices.Contains(round.target, node) {
				want = rulings[key].Winner
			}
			if !ruleoracle.Same(got.Row, want) {
				t.Errorf("%s, key %s: %s has %q, want %q; before %+v", rulings[key].Kind, key, c.Nodes[node].Name, got.Row, want, before[key])
			}
			if ruleoracle.Same(want, old.Row) && (got.Micros != old.Micros || got.Timed != old.Timed) {
				t.Errorf("%s, key %s: %s was written, although it had the right row", rulings[key].Kind, key, c.Nodes[node].Name)
			}
		}
	}
}
