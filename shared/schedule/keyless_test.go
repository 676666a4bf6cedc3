package schedule_test

import (
	"slices"
	"strings"
	"testing"

	"ace/shared/api"
)

// Case O-P34, see docs/RELIABILITY.md.
func TestScheduler_ATableWithoutAKeyIsNeverPartOfAMatch(t *testing.T) {
	const sweep = "jobs: [{name: all, cluster_name: demo, table_name: public.*, run_frequency: 1h"
	tests := []struct {
		name, file string
		tables     []string
		ends       string // the verdict with which the comparisons end
		verdict    string
		skipped    []string
	}{
		{"the others match", sweep + "}]", []string{"a", "b without key"}, api.VerdictMatch, api.VerdictIncomplete, nil},
		{"another differs", sweep + "}]", []string{"a", "b without key"}, api.VerdictDiffer, api.VerdictDiffer, nil},
		{"another fails", sweep + "}]", []string{"a", "b without key"}, api.VerdictFailed, api.VerdictFailed, nil},
		{"there is no other", sweep + "}]", []string{"b without key"}, "", api.VerdictIncomplete, nil},
		{"it is skipped", sweep + ", skip_tables: b}]", []string{"a", "b without key"}, api.VerdictMatch, api.VerdictMatch, []string{"public.b"}},
		{"a table with a key is skipped", sweep + ", skip_tables: [b*]}]", []string{"a", "b", "bc"}, api.VerdictMatch, api.VerdictMatch, []string{"public.b", "public.bc"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.file, "2024-03-15 12:30")
			b.Step(t.Context())
			b.tables = tt.tables
			b.to("2024-03-15 13:00")
			b.end(tt.ends)
			b.to("2024-03-15 13:10")
			if want := []string{"public.a"}; tt.ends != "" && !slices.Equal(b.tablesOf(b.compared), want) {
				t.Fatalf("compared are %v, want %v", b.tablesOf(b.compared), want)
			}
			b.restart() // the result below was read from the archive
			last := b.job().LastRun
			if last.Verdict != tt.verdict || !slices.Equal(last.SkippedTables, tt.skipped) {
				t.Errorf("shown is %+v", last)
			}
			const want = "there is no key; add a primary key, or a unique index on NOT NULL columns, or list the table in skip_tables"
			keyless := slices.ContainsFunc(tt.tables, func(name string) bool { return strings.HasSuffix(name, "key") })
			if listed := len(last.NotCompared) == 1; listed != (keyless && tt.skipped == nil) || listed && (last.NotCompared[0].TableName != "public.b" || last.NotCompared[0].Reason != want) {
				t.Errorf("not compared are %+v", last.NotCompared)
			}
		})
	}
}

func TestScheduler_LogsATableWithoutAKeyOnce(t *testing.T) {
	b := newBench(t, "jobs: [{name: all, cluster_name: demo, table_name: public.*, run_frequency: 1h}]", "2024-03-15 12:30")
	b.Step(t.Context())
	b.tables = []string{"b without key"}
	for _, now := range []string{"2024-03-15 13:00", "2024-03-15 14:00", "2024-03-15 15:00"} {
		b.to(now)
		b.end(api.VerdictMatch)
		b.to(now)
		b.restart()
	}
	b.tables = []string{"b without key", "c without key"}
	b.to("2024-03-15 16:00")
	b.end(api.VerdictMatch)
	b.to("2024-03-15 16:00")
	for _, table := range []string{"public.b", "public.c"} {
		if n := strings.Count(b.log.String(), `"a scheduled run cannot compare a table" job=all table=`+table); n != 1 {
			t.Errorf("%s is logged %d times", table, n)
		}
	}
}
