//go:build !unit

package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/lambda/emulator"
	"ace/infra/testkit/soak"
	"ace/shared/api"
)

// table fills public.t with this number of rows on both nodes. The second node differs in
// one of every thousand rows, lacks row 7 and has one row more.
func (s *site) table(t *testing.T, rows int) (mismatched int64) {
	t.Helper()
	s.cluster.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, n numeric)`,
		fmt.Sprintf(`INSERT INTO t SELECT i, 'value ' || i, i::numeric / 8 FROM generate_series(1, %d) i`, rows), `ANALYZE t`)
	s.cluster.Exec(t, 1, `UPDATE t SET v = v || '!' WHERE id % 1000 = 500`, `DELETE FROM t WHERE id BETWEEN 11 AND 17`,
		fmt.Sprintf(`INSERT INTO t VALUES (%d, 'new', 1)`, rows+1))
	return int64(rows/1000) + 8
}

// comparable returns a document without times, ids and the degree of parallelism, so that
// the results for two documents of the same rows are equal.
func comparable(t *testing.T, document []byte) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(document, &all); err != nil {
		t.Fatalf("%v in %.200s", err, document)
	}
	summary, ok := all["summary"].(map[string]any)
	if !ok {
		t.Fatalf("there is no summary in %.200s", document)
	}
	for _, name := range []string{"task_id", "started_at", "finished_at", "time_taken", "timings", "workers", "max_cpu_ratio", "rerun_of"} {
		delete(summary, name)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantCompleted checks the outcome of a comparison.
func wantCompleted(t *testing.T, status api.TaskStatus, mismatched int64) {
	t.Helper()
	if status.Status != api.StatusCompleted {
		t.Fatalf("task %s ended %s: %s", status.TaskID, status.Status, status.Error)
	}
	var result api.DiffResult
	if err := json.Unmarshal(status.Result, &result); err != nil {
		t.Fatal(err)
	}
	if result.MismatchedRows != mismatched {
		t.Errorf("task %s found %d rows, want %d", status.TaskID, result.MismatchedRows, mismatched)
	}
}

func TestFunctions_GiveTheSameDocumentAsTheLocalServiceHoweverManyWork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	rows := soak.Rounds(t, 16_000, 2_000_000)
	mismatched := s.table(t, rows)
	units := []string{"block_rows", strconv.Itoa(max(1000, rows/200))}
	local := s.locally(t)
	id := local.submit(t, units...)
	status := local.wait(t, id)
	wantCompleted(t, status, mismatched)
	t.Logf("locally %.2f s", *status.TimeTaken)
	want := comparable(t, local.document(t, id))
	for _, parallel := range []int{1, 4, 16} {
		d := s.deploy(t, settings{prefix: fmt.Sprintf("w%d", parallel), env: map[string]string{"ACE_MAX_INVOCATIONS": fmt.Sprint(parallel)}})
		id := d.submit(t, units...)
		status := d.wait(t, id)
		wantCompleted(t, status, mismatched)
		t.Logf("%d workers %.2f s", parallel, *status.TimeTaken)
		if document := comparable(t, d.document(t, id)); document != want {
			t.Errorf("%d workers: %.2000s\nlocally: %.2000s", parallel, document, want)
		}
		if most := d.emulator.MostAtOnce(worker); most > parallel || (parallel > 1 && most < 2) {
			t.Errorf("%d workers at once, want up to %d", most, parallel)
		}
		wantMetrics(t, d.output, id, mismatched, rows)
		d.emulator.Close()
	}
	soak.Report(t, "%d rows by 1, 4 and 16 workers as locally", rows)
}

// wantMetrics waits for the lines that CloudWatch makes metrics of. The task runner
// writes the last one after the task has ended.
func wantMetrics(t *testing.T, output *lines, id string, mismatched int64, rows int) {
	t.Helper()
	var differing, compared []float64
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		differing, compared = metricsOf(output.String(), id)
		if slices.Equal(differing, []float64{float64(mismatched)}) && len(compared) == 1 && compared[0] >= float64(rows) {
			return
		}
	}
	t.Errorf("the metrics are %v differing rows, %v rows compared; want %d, at least %d", differing, compared, mismatched, rows)
}

// metricsOf returns the values of two metrics that functions have written: the differing
// rows of a task, and the rows that the runs have compared.
func metricsOf(output, id string) (differing, compared []float64) {
	for line := range strings.Lines(output) {
		var metrics struct {
			TaskID        string `json:"task_id"`
			DifferingRows *float64
			RowsCompared  *float64
		}
		if !strings.Contains(line, `"_aws":`) || json.Unmarshal([]byte(line), &metrics) != nil {
			continue
		}
		if metrics.TaskID == id && metrics.DifferingRows != nil {
			differing = append(differing, *metrics.DifferingRows)
		}
		if metrics.RowsCompared != nil {
			compared = append(compared, *metrics.RowsCompared)
		}
	}
	return differing, compared
}

func TestBlockWorker_KeepsItsConnectionsBetweenInvocations(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mismatched := s.table(t, 30_000)
	d := s.deploy(t, settings{env: map[string]string{"ACE_MAX_INVOCATIONS": "1"}})
	sessions := func() (n int) {
		rows := s.cluster.QueryStrings(t, 0, `SELECT sessions FROM pg_stat_database WHERE datname = current_database()`)
		if _, err := fmt.Sscan(rows[0][0], &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := sessions()
	wantCompleted(t, d.wait(t, d.submit(t)), mismatched)
	units := len(d.emulator.Invocations(worker))
	// One connection is that of the block worker, up to four are those of the task
	// runner, and two are those of the function sessions.
	if opened := sessions() - before; opened < 2 || opened > 7 || units < 30 {
		t.Errorf("%d connections to a node for %d units", opened, units)
	}
}

// unitsDone counts how often each unit was done, answers that were lost included.
func (d *deployment) unitsDone(t *testing.T) map[string]int {
	t.Helper()
	done := map[string]int{}
	for _, i := range d.emulator.Invocations(worker) {
		var unit struct {
			Phase string `json:"phase"`
			Index int    `json:"index"`
		}
		if err := json.Unmarshal([]byte(i.Payload), &unit); err != nil {
			t.Fatal(err)
		}
		done[fmt.Sprintf("%s-%d", unit.Phase, unit.Index)]++
	}
	return done
}

// Not parallel: other tests would delay the task runner, which has only 4 seconds.
func TestTaskRunner_HandsOverBeforeItsTimeIsUpAndNothingIsDoneTwice(t *testing.T) {
	s := newSite(t)
	mismatched := s.table(t, 40_000)
	d := s.deploy(t, settings{
		env:    map[string]string{"ACE_MAX_INVOCATIONS": "2", "ACE_UNIT_TIMEOUT": "1s"},
		limits: map[string]time.Duration{runner: 4 * time.Second, worker: 10 * time.Second},
		faults: map[string]emulator.Faults{worker: {Latency: 300 * time.Millisecond}},
	})
	d.sweepUntilEnd(t)
	wantCompleted(t, d.wait(t, d.submit(t)), mismatched)
	for unit, times := range d.unitsDone(t) {
		if times > 1 {
			t.Errorf("unit %s was done %d times", unit, times)
		}
	}
	runs := d.emulator.Invocations(runner)
	for _, run := range runs {
		if run.Error != "" {
			t.Errorf("a task runner failed: %s", run.Error)
		}
	}
	if len(runs) < 3 {
		t.Errorf("%d invocations of the task runner, want several", len(runs))
	}
}

// Not parallel: with an open transaction of another test, no row could be proven to be
// unchanged.
func TestIncremental_IsProvenAcrossInvocations(t *testing.T) {
	s := newSite(t)
	s.cluster.ExecAll(t, `CREATE TABLE t (id uuid PRIMARY KEY, v text, filler text DEFAULT repeat('f', 120))`,
		`INSERT INTO t SELECT md5(i::text)::uuid, 'value ' || i FROM generate_series(1, 60000) i`, `ANALYZE t`)
	d := s.deploy(t, settings{
		env:    map[string]string{"ACE_MAX_INVOCATIONS": "2", "ACE_UNIT_TIMEOUT": "1s"},
		limits: map[string]time.Duration{runner: 3 * time.Second, worker: 10 * time.Second},
		faults: map[string]emulator.Faults{worker: {Latency: 300 * time.Millisecond}},
	})
	d.sweepUntilEnd(t)
	first := d.submit(t, "block_rows", "1000", "batch_size", "5")
	wantCompleted(t, d.wait(t, first), 0)
	s.cluster.Exec(t, 1, `UPDATE t SET v = 'other' WHERE id = md5('77')::uuid`)
	id := d.submit(t, "block_rows", "1000", "batch_size", "5", "baseline", "last")
	status := d.wait(t, id)
	wantCompleted(t, status, 1)
	var result struct {
		Summary struct {
			Baseline  string `json:"baseline"`
			Unchanged int    `json:"blocks_unchanged"`
			Compared  int    `json:"blocks_compared"`
		} `json:"summary"`
	}
	if err := json.Unmarshal(status.Result, &result); err != nil {
		t.Fatal(err)
	}
	if got := result.Summary; got.Baseline != first || got.Unchanged < 50 || got.Compared < 1 || got.Compared > 2 {
		t.Errorf("%+v, want the baseline %s, and one or two stretches compared", got, first)
	}
	if runs := len(d.emulator.Invocations(runner)); runs < 3 {
		t.Errorf("%d invocations of the task runner, want several", runs)
	}
}
