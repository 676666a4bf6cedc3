//go:build !unit

package main_test

import (
	"cmp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/api"
)

const (
	memoryLimit = 150 << 20
	// cancelLimit is far more than a cancellation takes (2 to 3 s), for busy machines.
	cancelLimit = 15 * time.Second
)

// bigRows returns the number of rows of the large table.
func bigRows(t testing.TB) int { return soak.Rounds(t, 1_000_000, 2_000_000) }

// TestSurvival_OfALargeTable compares one pair of tables with a million rows or more:
// while they are equal and after they differ, with a cancellation, a kill and a stop.
func TestSurvival_OfALargeTable(t *testing.T) {
	if testing.Short() {
		t.Skip("a million rows are left out with -short")
	}
	t.Parallel()
	c, bigRows := pgtest.NewCluster(t), bigRows(t)
	soak.Report(t, "%d rows through kill -9 and SIGTERM", bigRows)
	begin := time.Now()
	customers(t, c, bigRows)
	t.Logf("the tables were loaded in %s", time.Since(begin))
	h := newHome(t, c)
	s := h.serve(t, nil)

	t.Run("equal tables match, and progress grows", func(t *testing.T) {
		id := s.submit(t, c, "public.customers", "batch_size", "5")
		watchProgress(t, s, id)
		if result := s.completed(t, id); result.Verdict != api.VerdictMatch || result.TotalRows != int64(bigRows) || result.MismatchedRows != 0 {
			t.Errorf("the result is %+v", result)
		}
		t.Logf("the comparison took %.1f s", *s.status(t, id).TimeTaken)
	})
	d := makeDrift(t, c, bigRows, 200)
	t.Run("drift is found to the row", func(t *testing.T) {
		checkDrift(t, s, s.submit(t, c, "public.customers"), d, int64(bigRows)+2)
	})
	t.Run("a running task is cancelled within seconds", func(t *testing.T) {
		cancelsSoon(t, s, c)
	})
	checkMemory(t, s)
	if code, _ := s.terminate(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	t.Run("neither kill -9 nor SIGTERM loses anything, and nothing is done twice", func(t *testing.T) {
		survives(t, h, c, d)
	})
}

// checkDrift waits for a comparison and compares its result with what is known to differ.
func checkDrift(t testing.TB, s *service, id string, d drift, total int64) {
	t.Helper()
	result := s.completed(t, id)
	if result.Verdict != api.VerdictDiffer || result.TotalRows != total || result.MismatchedRows != d.rows() {
		t.Errorf("%s: %s, %d of %d rows, want %d of %d", id, result.Verdict, result.MismatchedRows, result.TotalRows, d.rows(), total)
	}
	d.check(t, s.found(t, id, "index"))
}

func checkMemory(t testing.TB, s *service) {
	t.Helper()
	peak := s.peakMemory(t)
	t.Logf("peak memory of the service: %d MB", peak>>20)
	if peak >= memoryLimit {
		t.Errorf("the service has used %d MB, want less than %d MB", peak>>20, memoryLimit>>20)
	}
}

// watchProgress checks the progress of a task until the task ends.
func watchProgress(t testing.TB, s *service, id string) {
	t.Helper()
	var before api.Progress
	seen, phases := 0, map[string]bool{}
	eventually(t, taskTimeout, "task "+id+" ends", func() bool {
		resp := s.get(t, "/ace/task-status/"+id, "")
		var status api.TaskStatus
		decode(t, resp, &status)
		if status.Status == api.StatusRunning && status.Progress != nil && status.Progress.BlocksTotal > 0 {
			checkProgress(t, before, *status.Progress)
			before = *status.Progress
			phases[before.Phase] = true
			if seen++; seen == 1 {
				checkProgressMembers(t, resp.Body)
			}
		}
		return !status.FinishedAt.IsZero()
	})
	if seen < 3 || !phases["compare"] || before.BlocksDone == 0 || before.RowsCompared == 0 {
		t.Errorf("progress was seen %d times in %v, at last %+v", seen, phases, before)
	}
}

// checkProgressMembers makes sure that progress has all its fields.
func checkProgressMembers(t testing.TB, body []byte) {
	t.Helper()
	_, status := members(t, body)
	names, _ := members(t, []byte(status["progress"]))
	want := "phase blocks_total blocks_done rows_compared rows_total_estimate mismatched_rows percent rows_per_second eta_seconds"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("progress has %s, want %s", got, want)
	}
}

func checkProgress(t testing.TB, before, now api.Progress) {
	t.Helper()
	switch bigRows := bigRows(t); {
	case now.BlocksDone < before.BlocksDone, now.RowsCompared < before.RowsCompared, now.Percent < before.Percent:
		t.Errorf("progress went back from %+v to %+v", before, now)
	case now.BlocksDone > now.BlocksTotal, now.Percent > 100, now.RowsCompared > int64(2*bigRows+4):
		t.Errorf("progress went too far: %+v", now)
	case now.BlocksTotal != cmp.Or(before.BlocksTotal, now.BlocksTotal), now.RowsTotalEstimate < int64(bigRows), now.Phase == "":
		t.Errorf("progress is %+v, before it was %+v", now, before)
	case now.BlocksDone > 0 && (now.ETASeconds == nil || now.RowsPerSecond <= 0):
		t.Errorf("progress has no rate: %+v", now)
	}
}

// underWay submits a comparison in many small units and waits until some parts of it are
// stored.
func underWay(t testing.TB, s *service, c *pgtest.Cluster, batch string, parts int) (id string) {
	t.Helper()
	id = s.submit(t, c, "public.customers", "block_rows", "1000", "batch_size", batch)
	eventually(t, taskTimeout, "some parts are stored", func() bool { return len(s.home.partFiles(t, id)) >= parts })
	return id
}

func cancelsSoon(t *testing.T, s *service, c *pgtest.Cluster) {
	id := underWay(t, s, c, "10", 20)
	begin := time.Now()
	var answer api.TaskStatus
	s.read(t, "/ace/task-cancel/"+id, "", &answer)
	if answer.Status != api.StatusRunning {
		t.Fatalf("the task is %s already: nothing is shown", answer.Status)
	}
	status := s.end(t, id)
	took := time.Since(begin)
	if status.Status != api.StatusCancelled || status.Error != "" || status.Result != nil || took > cancelLimit {
		t.Errorf("after %s the task is %+v", took, status)
	}
	eventually(t, cancelLimit, "no query is left on the servers", func() bool { return sessions(t, c, " AND state <> 'idle'") == 0 })
	eventually(t, startTimeout, "its parts are removed", func() bool { return len(s.home.partFiles(t, id)) == 0 })
}

// survives interrupts a comparison twice, first with SIGKILL, then with SIGTERM.
func survives(t *testing.T, h home, c *pgtest.Cluster, d drift) {
	first := h.serve(t, nil)
	id := underWay(t, first, c, strconv.Itoa(bigRows(t)/200_000), 60) // the comparison has 200 units
	first.kill()
	crashed := h.parts(t, id)
	before := rowsRead(t, c, 0)

	second := h.serve(t, nil)
	eventually(t, taskTimeout, "more parts are stored", func() bool { return len(h.partFiles(t, id)) >= 120 })
	code, took := second.terminate(t, 10*time.Second)
	if code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	t.Logf("the service ended %s after SIGTERM", took)
	if n := sessions(t, c, " AND state <> 'idle'"); n > 0 {
		t.Errorf("%d queries are left on the servers", n)
	}
	stopped := h.parts(t, id)
	checkSame(t, crashed, stopped)

	third := h.serve(t, nil)
	if looks := third.checkKept(t, id, stopped); looks == 0 {
		t.Error("the former parts were never seen in the last run")
	}
	checkDrift(t, third, id, d, int64(bigRows(t))+2)
	checkMemory(t, third)
	third.kill()
	checkRowsRead(t, rowsRead(t, c, 0).since(before), int64(bigRows(t)), crashed)
}

// checkSame checks that the parts in before were not written again.
func checkSame(t testing.TB, before, after map[string]stored) {
	t.Helper()
	for name, part := range before {
		if after[name].version != part.version {
			t.Errorf("part %s was written again", name)
		}
	}
}

// checkRowsRead checks that a node did not read again the rows of the parts that were
// stored before the crash. It allows for a twentieth of the table, because the rows of
// blocks that differ are read again. It also allows for one sequential scan, which
// searches for the rows that the node seems to lack.
func checkRowsRead(t testing.TB, read reads, rows int64, before map[string]stored) {
	t.Helper()
	done := rowsOf(before, 0)
	t.Logf("%d parts held %d of %d rows; after that %+v rows were read", len(before), done, rows, read)
	if allowed := rows + rows/20 - done; read.byIndex > allowed || read.byScan > rows+rows/20 || done < rows/5 {
		t.Errorf("%d parts held %d of %d rows; after that %+v rows were read, allowed are %d by the index and one scan",
			len(before), done, rows, read, allowed)
	}
}
