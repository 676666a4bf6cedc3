package runner

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ace/shared/task"
)

func TestLogEnd_HasVerdictCountsAndSeconds(t *testing.T) {
	started := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	finished := started.Add(1234567 * time.Microsecond)
	for result, want := range map[string]string{
		`{"verdict":"differ","total_rows":2000,"mismatched_rows":2,"summary":{}}`:                      "status=COMPLETED seconds=1.235 verdict=differ total_rows=2000 mismatched_rows=2",
		`{"nodes":{"n2":{"inserted":1,"updated":2,"deleted":3},"n3":{"inserted":4,"unrepairable":5}}}`: "status=COMPLETED seconds=1.235 inserted=5 updated=2 deleted=3 unrepairable=5",
		``: "status=COMPLETED seconds=1.235",
	} {
		var log bytes.Buffer
		rec := task.Record{Status: task.Completed, StartedAt: &started, FinishedAt: &finished}
		logEnd(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), rec, task.Outcome{Result: json.RawMessage(result)})
		if !strings.HasSuffix(log.String(), want+"\n") {
			t.Errorf("the log is %s, want %s", log.String(), want)
		}
	}
}
