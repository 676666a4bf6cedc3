//go:build !unit

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

func TestServe_RefusesAFileOfSchedulesWithAMistake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "schedules.yaml")
	text := "jobs:\n  - {name: a, cluster_name: demo, table_name: public.users, run_frequency: 1h, args: {block_rows: 0}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"schedules.yaml": file + `, line 2, job a: block_rows is "0"; it must be a whole number`,
		"nothing.yaml":   "which cannot be read",
	} {
		if said := refused(t, dir, settings{"ACE_SCHEDULES": path, "ACE_LISTEN": "127.0.0.1:0"}, exitConfig); !strings.Contains(said, want) {
			t.Errorf("%s: it says %s, want %s", path, said, want)
		}
		if exists(t, filepath.Join(dir, "ace-data")) {
			t.Errorf("%s: a data directory was made", path)
		}
	}
}

func TestServe_ShowsItsSchedulesAndRemakesItsIndex(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE users (id int PRIMARY KEY)`)
	h := newHome(t, c)
	text := "jobs:\n  - {name: yearly, cluster_name: " + c.Name + ", table_name: public.*, crontab_schedule: 0 0 29 2 *}\n"
	if err := os.WriteFile(filepath.Join(h.dir, "schedules.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := h.serve(t, settings{"ACE_SCHEDULES": "schedules.yaml"})
	var list api.ScheduleList
	s.read(t, "/ace/schedules", "", &list)
	if len(list.Schedules) != 1 || list.Schedules[0].TableName != "public.*" || !strings.Contains(list.Schedules[0].NextRun.String(), "-02-29T00:00:00.000Z") {
		t.Errorf("shown are %+v", list)
	}
	var none api.DiffList
	if s.read(t, "/ace/diffs", "", &none); none.Diffs == nil || len(none.Diffs) > 0 {
		t.Errorf("listed are %+v", none)
	}
	s.kill()
	if code, text := run(t, h.dir, nil, "reindex"); code != 0 || text != "0 tasks and 0 documents are listed, 0 documents that are gone were taken off the list\n" {
		t.Errorf("exit code %d: %s", code, text)
	}
}
