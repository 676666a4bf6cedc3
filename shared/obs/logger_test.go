package obs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"ace/shared/obs"
)

func TestNewLogger_DropsWhatIsBelowTheLevel(t *testing.T) {
	var out bytes.Buffer
	log := obs.NewLogger(&out, slog.LevelWarn, "text")
	log.Info("quiet")
	log.Warn("loud", "node", "n1")
	if text := out.String(); strings.Contains(text, "quiet") || !strings.Contains(text, "level=WARN msg=loud node=n1") {
		t.Errorf("the log is %q", text)
	}
}

func TestNewLogger_WritesJSONInUTC(t *testing.T) {
	var out bytes.Buffer
	obs.NewLogger(&out, slog.LevelInfo, "json").Info("hello")
	var record struct{ Time, Level, Msg string }
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatal(err)
	}
	if record.Level != "INFO" || record.Msg != "hello" || !strings.HasSuffix(record.Time, "Z") {
		t.Errorf("the record is %+v", record)
	}
}
