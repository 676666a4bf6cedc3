package main

// benchCase is one line of the report. drift is run on the second node before it, and stays for the cases after it.
type benchCase struct {
	Name    string
	Table   string
	Nodes   int
	Drift   string
	Latency bool // every node 20 ms away
	CPUs    int  // GOMAXPROCS of the service, with max_cpu_ratio=1; 0: the defaults
	Differs int64
}

// scattered is the drift of 205 rows: 200 changed all over the table, 3 missing, 2 too many.
const scattered = `
UPDATE customers SET city = 'DRIFT' WHERE index % 10007 = 3 AND index <= 2000000;
DELETE FROM customers WHERE index IN (5, 777777, 1999999);
INSERT INTO customers (index, customer_id) VALUES (100000001, 'extra'), (100000002, 'extra')`

const scatteredUUID = `
UPDATE ledger SET memo = 'DRIFT' WHERE created IN (SELECT timestamptz '2020-01-01 00:00+00' + i * 4999 * interval '1 sec' FROM generate_series(1, 200) i);
DELETE FROM ledger WHERE created IN ('2020-01-01 00:00:07+00', '2020-01-03 00:00:07+00', '2020-01-07 00:00:07+00');
INSERT INTO ledger (id, account) VALUES ('00000000-0000-0000-0000-000000000001', 1), ('ffffffff-ffff-ffff-ffff-fffffffffffe', 1)`

// cases are in the order in which their drifts can follow one another. The counts of differences are for 2 M rows.
func cases() []benchCase {
	return []benchCase{
		{Name: "equal", Table: "customers", Nodes: 2},
		{Name: "equal, 2 workers", Table: "customers", Nodes: 2, CPUs: 2},
		{Name: "equal, 4 workers", Table: "customers", Nodes: 2, CPUs: 4},
		{Name: "equal, 8 workers", Table: "customers", Nodes: 2, CPUs: 8},
		{Name: "equal, 20 ms away", Table: "customers", Nodes: 2, Latency: true},
		{Name: "equal, three nodes", Table: "customers", Nodes: 3},
		{Name: "equal, 0.1 M rows", Table: "hundred", Nodes: 2},
		{Name: "equal, 1 M rows", Table: "million", Nodes: 2},
		{Name: "uuid key, equal", Table: "ledger", Nodes: 2},
		{Name: "wide rows, equal", Table: "wide", Nodes: 2},
		{Name: "1 row", Table: "customers", Nodes: 2, Differs: 1, Drift: `UPDATE customers SET city = 'DRIFT' WHERE index = 3`},
		{Name: "205 scattered", Table: "customers", Nodes: 2, Differs: 205, Drift: scattered},
		{Name: "205 scattered, 20 ms away", Table: "customers", Nodes: 2, Latency: true, Differs: 205},
		{Name: "uuid key, 205 scattered", Table: "ledger", Nodes: 2, Differs: 205, Drift: scatteredUUID},
		{Name: "10 % differing", Table: "customers", Nodes: 2, Differs: 200185,
			Drift: `UPDATE customers SET city = 'DRIFT' WHERE index % 10 = 0`},
		{Name: "all of 0.1 M differing", Table: "hundred", Nodes: 2, Differs: 100000, Drift: `UPDATE hundred SET city = 'DRIFT'`},
		{Name: "one node empty, 0.1 M rows", Table: "hundred", Nodes: 2, Differs: 100000, Drift: `TRUNCATE hundred`},
	}
}
