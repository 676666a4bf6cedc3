package main

import "strings"

// benchCase describes one case of the benchmark, which is one line of the report. Drift
// is SQL that is run on the second node before the case, to make rows differ. The effects
// of Drift remain for the following cases.
type benchCase struct {
	Name    string
	Table   string
	Nodes   int
	Drift   string
	Drifted int  // number of nodes on which Drift is run, from the second one; 0 means one
	Latency bool // the round trip to every node takes 20 ms
	CPUs    int  // the value of GOMAXPROCS for the service; the comparison then has max_cpu_ratio=1; 0 means the defaults of both
	Differs int64
	Load    string // SQL that creates Table; such a case is measured only if it is selected by name

	Follow string // the endpoint that runs on the document of the comparison and is measured; empty means that the comparison itself is measured
	Args   string // further parameters of the request to the endpoint Follow
	Rules  string // a rules document, by which the task of Follow repairs
	Heal   string // SQL that is run on the second node between the comparison and the task of Follow; it undoes Drift

	// Timed means that all nodes record commit times, from before Drift until the end of
	// the case.
	Timed bool

	// Cold is the shared_buffers of a case that measures only the first task after a
	// restart. It is empty for all other cases.
	Cold           string
	SequentialScan string // the parameter of the comparison; empty means the default

	// Copy is the name of another table, or empty. If it is set and the case is selected,
	// Table is created as a copy of Copy before any Drift is run.
	Copy string
	// Incremental means that the case measures incremental comparisons. Each is followed
	// by a full comparison, and the time of the full comparisons is the limit. Change is
	// SQL that is run on every node before each incremental comparison. %d in Change is
	// replaced by the number of incremental comparisons that ran before.
	Incremental bool
	Change      string
}

// SQL that changes a hundredth of all rows, in a twentieth of the blocks of 10 000 rows.
// %d, the number of incremental comparisons that ran before, selects the blocks, so each
// time other blocks are changed.
const (
	fewOfNightly   = `UPDATE nightly SET city = city WHERE (index / 10000) % 20 = %d % 20 AND index % 5 = 0`
	fewOfUnordered = `UPDATE unordered SET memo = memo WHERE (extract(epoch FROM created)::bigint / 10000) % 20 = %d % 20 AND extract(epoch FROM created)::bigint % 5 = 0`
)

// scattered makes 205 rows differ: 200 changed rows all over the table, 3 missing rows
// and 2 extra rows.
const scattered = `
UPDATE customers SET city = 'DRIFT' WHERE index % 10007 = 3 AND index <= 2000000;
DELETE FROM customers WHERE index IN (5, 777777, 1999999);
INSERT INTO customers (index, customer_id) VALUES (100000001, 'extra'), (100000002, 'extra')`

const scatteredUUID = `
UPDATE ledger SET memo = 'DRIFT' WHERE created IN (SELECT timestamptz '2020-01-01 00:00+00' + i * 4999 * interval '1 sec' FROM generate_series(1, 200) i);
DELETE FROM ledger WHERE created IN ('2020-01-01 00:00:07+00', '2020-01-03 00:00:07+00', '2020-01-07 00:00:07+00');
INSERT INTO ledger (id, account) VALUES ('00000000-0000-0000-0000-000000000001', 1), ('ffffffff-ffff-ffff-ffff-fffffffffffe', 1)`

// The tasks that may follow the comparison of a case.
const (
	rerun  = "table-rerun"
	repair = "table-repair"
)

const driftHundred = `UPDATE hundred SET city = 'DRIFT ' || city WHERE city NOT LIKE 'DRIFT %'`

// healHundred undoes driftHundred. It is run between a comparison and a rerun, so the
// rows that differed in the comparison are equal in the rerun, as after late replication.
const healHundred = `UPDATE hundred SET city = substr(city, 7) WHERE city LIKE 'DRIFT %'`

// driftTimed changes all rows again whenever it is run, so the versions of the second
// node are the newest.
const driftTimed = `UPDATE timed SET city = reverse(city) || '.'`

// ruleOfTimed has an expression that is evaluated for each row.
const ruleOfTimed = `{"version": 1, "rules": [{"when": {"where": "n1.index > 0 AND n2.city <> n3.city"}, "take": "newest"}]}`

// surplusRows adds rows that the first node does not have.
const surplusRows = `INSERT INTO surplus SELECT index + 1000000000, customer_id, first_name, last_name, company, city, country, phone_1, phone_2, email,
       subscription_date, website FROM surplus WHERE index < 1000000000`

const scatteredText = `
UPDATE accounts SET notes = 'DRIFT' WHERE notes IN (SELECT 'note ' || i * 2400 FROM generate_series(1, 200) i);
DELETE FROM accounts WHERE notes IN ('note 7', 'note 77', 'note 777');
INSERT INTO accounts (name) VALUES ('extra 1'), ('extra 2')`

// large creates the table of the large cases, which contains each row of customers five
// times, with different keys.
const large = `
CREATE TABLE large (LIKE customers INCLUDING ALL);
INSERT INTO large
SELECT c.index + n * (SELECT max(index) FROM customers), customer_id, first_name, last_name, company, city, country, phone_1, phone_2, email,
       subscription_date, website
FROM generate_series(0, 4) n, customers c ORDER BY 1`

// narrow creates a table with fifty times as many rows as customers, of 48 bytes each.
// The primary key is added last, which is faster.
const narrow = `
CREATE TABLE narrow (id bigint, account int NOT NULL, at timestamptz NOT NULL);
INSERT INTO narrow
SELECT i, i % 1000003, timestamptz '2020-01-01 00:00+00' + i * interval '1 sec' FROM generate_series(1, 50 * (SELECT count(*) FROM customers)) i;
ALTER TABLE narrow ADD PRIMARY KEY (id)`

const scatteredNarrow = `
UPDATE narrow SET account = -1 WHERE id IN (SELECT i * (SELECT max(id) FROM narrow) / 201 FROM generate_series(1, 200) i);
DELETE FROM narrow WHERE id IN (7, 77, 777);
INSERT INTO narrow SELECT max(id) + n, 0, '2020-01-01' FROM narrow, generate_series(1, 2) n GROUP BY n`

// wanted reports whether a case is to be measured, which is so if its name contains the
// text in only. If only is "", all cases are measured except those with Load.
func (c benchCase) wanted(only string) bool {
	return strings.Contains(c.Name, only) && (c.Load == "" || only != "")
}

// cases returns the cases. Their order matters, because each Drift also affects the
// following cases. Differs is the number of differing rows if customers has 2 million
// rows.
func cases() []benchCase {
	return []benchCase{
		{Name: "equal", Table: "customers", Nodes: 2},
		{Name: "cold, 128 MB", Table: "customers", Nodes: 2, Cold: "128MB"},
		{Name: "cold, 1 GB", Table: "customers", Nodes: 2, Cold: "1GB"},
		{Name: "equal, 2 workers", Table: "customers", Nodes: 2, CPUs: 2},
		{Name: "equal, 4 workers", Table: "customers", Nodes: 2, CPUs: 4},
		{Name: "equal, 8 workers", Table: "customers", Nodes: 2, CPUs: 8},
		{Name: "equal, 20 ms away", Table: "customers", Nodes: 2, Latency: true},
		{Name: "equal, three nodes", Table: "customers", Nodes: 3},
		{Name: "equal, 0.1 M rows", Table: "hundred", Nodes: 2},
		{Name: "equal, 1 M rows", Table: "million", Nodes: 2},
		{Name: "uuid key, equal", Table: "ledger", Nodes: 2},
		{Name: "wide rows, equal", Table: "wide", Nodes: 2},
		{Name: "text key, equal", Table: "accounts", Nodes: 2},
		{Name: "bloated table, equal", Table: "bloated", Nodes: 2},
		{Name: "warm, auto", Table: "customers", Nodes: 2, SequentialScan: "auto"},
		{Name: "1 row", Table: "customers", Nodes: 2, Differs: 1, Drift: `UPDATE customers SET city = 'DRIFT' WHERE index = 3`},
		{Name: "205 scattered", Table: "customers", Nodes: 2, Differs: 205, Drift: scattered},
		{Name: "205 scattered, 20 ms away", Table: "customers", Nodes: 2, Latency: true, Differs: 205},
		{Name: "uuid key, 205 scattered", Table: "ledger", Nodes: 2, Differs: 205, Drift: scatteredUUID},
		{Name: "text key, 205 scattered", Table: "accounts", Nodes: 2, Differs: 205, Drift: scatteredText},
		{Name: "bloated table, 100 scattered", Table: "bloated", Nodes: 2, Differs: 100, Drift: `UPDATE bloated SET city = 'DRIFT' WHERE index % 10000 = 0`},
		{Name: "10 % differing", Table: "customers", Nodes: 2, Differs: 200185,
			Drift: `UPDATE customers SET city = 'DRIFT' WHERE index % 10 = 0`},
		{Name: "all of 0.1 M differing", Table: "hundred", Nodes: 2, Differs: 100000, Drift: driftHundred},
		{Name: "rerun of 0.1 M keys", Table: "hundred", Nodes: 2, Differs: 100000, Follow: rerun, Args: "&confirm_delay=0"},
		{Name: "rerun of 0.1 M keys, hostdb", Table: "hundred", Nodes: 2, Differs: 100000, Follow: rerun, Args: "&confirm_delay=0&behavior=hostdb"},
		{Name: "rerun of 0.1 M healed keys", Table: "hundred", Nodes: 2, Drift: driftHundred, Follow: rerun, Args: "&confirm_delay=0", Heal: healHundred},
		{Name: "repair: 0.1 M updates", Table: "hundred", Nodes: 2, Differs: 100000, Drift: driftHundred, Follow: repair, Args: "&source_of_truth=n1"},
		{Name: "one node empty, 0.1 M rows", Table: "hundred", Nodes: 2, Differs: 100000, Drift: `TRUNCATE hundred`},
		{Name: "repair: 0.1 M insertions", Table: "hundred", Nodes: 2, Differs: 100000, Drift: `TRUNCATE hundred`, Follow: repair, Args: "&source_of_truth=n1"},
		{Name: "repair: 0.1 M deletions", Table: "surplus", Copy: "hundred", Nodes: 2, Differs: 100000, Drift: surplusRows, Follow: repair, Args: "&source_of_truth=n1"},
		{Name: "repair: 0.1 M updates of two", Table: "twofold", Copy: "hundred", Nodes: 3, Differs: 200000,
			Drift: strings.ReplaceAll(driftHundred, "hundred", "twofold"), Drifted: 2, Follow: repair, Args: "&source_of_truth=n1"},
		{Name: "repair: 0.1 M updates, three nodes", Table: "twofold", Copy: "hundred", Nodes: 3, Differs: 100000,
			Drift: strings.ReplaceAll(driftHundred, "hundred", "twofold"), Follow: repair, Args: "&source_of_truth=n1"},
		{Name: "repair: 0.1 M updates by majority", Table: "twofold", Copy: "hundred", Nodes: 3, Differs: 100000,
			Drift: strings.ReplaceAll(driftHundred, "hundred", "twofold"), Follow: repair, Args: "&resolve=majority"},
		{Name: "repair: 0.1 M updates by newest", Table: "timed", Copy: "hundred", Nodes: 3, Differs: 200000, Timed: true,
			Drift: driftTimed, Follow: repair, Args: "&resolve=newest&max_clock_skew=20ms"},
		{Name: "repair: 0.1 M updates by rules", Table: "timed", Copy: "hundred", Nodes: 3, Differs: 200000, Timed: true,
			Drift: driftTimed, Follow: repair, Args: "&resolve=rules&max_clock_skew=20ms", Rules: ruleOfTimed},
		{Name: "incremental: nothing changed", Table: "nightly", Copy: "customers", Nodes: 2, Incremental: true},
		{Name: "incremental: 1 % in 5 %", Table: "nightly", Copy: "customers", Nodes: 2, Incremental: true, Change: fewOfNightly},
		{Name: "incremental: all changed", Table: "changing", Copy: "million", Nodes: 2, Incremental: true, Change: `UPDATE changing SET city = city`},
		{Name: "incremental: uuid, nothing", Table: "unordered", Copy: "ledger", Nodes: 2, Incremental: true},
		{Name: "incremental: uuid, 1 % in 5 %", Table: "unordered", Copy: "ledger", Nodes: 2, Incremental: true, Change: fewOfUnordered},
		{Name: "incremental: uuid, all", Table: "unordered", Copy: "ledger", Nodes: 2, Incremental: true, Change: `UPDATE unordered SET memo = memo`},
		{Name: "large: 10 M rows, equal", Table: "large", Nodes: 2, Load: large},
		{Name: "large: 10 M rows, 205 scattered", Table: "large", Nodes: 2, Load: large, Differs: 205, Drift: strings.ReplaceAll(scattered, "customers", "large")},
		{Name: "narrow: 100 M rows, equal", Table: "narrow", Nodes: 2, Load: narrow},
		{Name: "narrow: 100 M rows, 205 scattered", Table: "narrow", Nodes: 2, Load: narrow, Differs: 205, Drift: scatteredNarrow},
	}
}
