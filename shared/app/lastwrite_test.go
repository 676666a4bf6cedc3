//go:build !unit

package app_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/difffile"
)

// lastWrites returns the last writes that a document lists, by node and key.
func lastWrites(t *testing.T, d apptest.Diff) map[string]difffile.LastWrite {
	t.Helper()
	reader, err := difffile.Open(bytes.NewReader(d.Raw))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]difffile.LastWrite{}
	err = reader.Visit(difffile.Visitor{Written: func(e difffile.WrittenEntry) error {
		found[e.Node+" "+*e.Write.Key[0]] = e.Write
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A document has the commit time and the origin of each row that it lists, whatever the
// table and the comparison are like. The times are those that the server reports.
func TestLastWrites_AreThoseOfTheListedRows(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest), pgtest.ServerSetting("track_commit_timestamp", "on"))
	c.ExecAll(t, `CREATE TABLE parted (id int PRIMARY KEY, v text, xmin_of int) PARTITION BY RANGE (id)`,
		`CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (3)`, `CREATE TABLE parted_2 (xmin_of int, v text, id int NOT NULL)`,
		`ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (3) TO (10)`, `INSERT INTO parted SELECT i, 'equal' FROM generate_series(1, 6) i`)
	c.Exec(t, 1, `UPDATE parted SET v = 'by n2' WHERE id = 1`, `DELETE FROM parted WHERE id = 5`, `VACUUM FREEZE parted`, `
		SELECT pg_catalog.pg_replication_origin_create('from "n1"'); SELECT pg_catalog.pg_replication_origin_session_setup('from "n1"');
		SELECT pg_catalog.pg_replication_origin_xact_setup('0/1', '2020-01-02 03:04:05.6789+00'); UPDATE parted SET v = 'by n1' WHERE id = 4`)
	s := apptest.New(t, c, apptest.Options{})

	want := map[string]difffile.LastWrite{}
	for node := range c.Nodes {
		for _, line := range c.QueryStrings(t, node, `SELECT id, to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM parted WHERE id IN (1, 4, 5)`) {
			want[c.Nodes[node].Name+" "+line[0]] = difffile.LastWrite{Key: difffile.Row{&line[0]}, At: line[1]}
		}
	}
	fourth := want["n2 4"]
	fourth.Origin = `from "n1"`
	want["n2 4"] = fourth
	if fourth.At != "2020-01-02T03:04:05.678900Z" || len(want) != 5 {
		t.Fatalf("the servers report %+v", want)
	}

	first := s.Diff(t, "public.parted")
	if diff := cmp.Diff(want, lastWrites(t, first)); diff != "" {
		t.Errorf("table-diff (-want +got):\n%s", diff)
	}
	if len(first.Summary.CommitTimes) != 2 || strings.Contains(strings.Join(first.Summary.Warnings, "\n"), "track_commit_timestamp") {
		t.Errorf("commit times on %v, warnings %v", first.Summary.CommitTimes, first.Summary.Warnings)
	}
	for name, args := range map[string][]string{
		"redacted, no confirmation": {"redact", "v", "confirm_delay", "0"}, "confirmed after a delay": {"confirm_delay", "0.05"}, "sha256": {"checksum", "sha256"},
	} {
		if diff := cmp.Diff(want, lastWrites(t, s.Diff(t, "public.parted", args...))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(want, lastWrites(t, s.Rerun(t, first.Result.DiffFile, "public.parted"))); diff != "" {
		t.Errorf("table-rerun (-want +got):\n%s", diff)
	}
	if csv := string(s.Download(t, first.TaskID, "csv")); !strings.Contains(csv, `,n2,2020-01-02T03:04:05.678900Z,"from ""n1""",4,by n1,`) {
		t.Errorf("the CSV is\n%s", csv)
	}
	if page := string(s.Download(t, first.TaskID, "html")); !strings.Contains(page, `"2020-01-02T03:04:05.678900Z"`) {
		t.Error("the page lacks the time")
	}
}
