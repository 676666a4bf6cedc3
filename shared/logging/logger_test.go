package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"ace/shared/fault"
	"ace/shared/logging"
)

func TestNew_DropsWhatIsBelowTheLevel(t *testing.T) {
	var out bytes.Buffer
	log := logging.New(&out, slog.LevelWarn, "text")
	log.Info("quiet")
	log.Warn("loud", "node", "n1")
	if text := out.String(); strings.Contains(text, "quiet") || !strings.Contains(text, "level=WARN msg=loud node=n1") {
		t.Errorf("the log is %q", text)
	}
}

func TestNew_WritesNoMoreThanAKilobyteOfAValue(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log := logging.New(&out, slog.LevelInfo, format)
		log.Info("long", "path", long, slog.Group("of", "node", long), "error", errors.New(long))
		if n := out.Len(); n > 20<<10 || !strings.Contains(out.String(), "(1048576 bytes)") {
			t.Errorf("%s: the line has %d bytes", format, n)
		}
		out.Reset()
		log.With("path", long).Error("failed", "error", fault.New(fault.Invalid, "key %s", long))
		if n := out.Len(); n > 3<<10 {
			t.Errorf("%s: the line of a fault has %d bytes", format, n)
		}
	}
}

func TestNew_WritesJSONInUTC(t *testing.T) {
	var out bytes.Buffer
	logging.New(&out, slog.LevelInfo, "json").Info("hello")
	var record struct{ Time, Level, Msg string }
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatal(err)
	}
	if record.Level != "INFO" || record.Msg != "hello" || !strings.HasSuffix(record.Time, "Z") {
		t.Errorf("the record is %+v", record)
	}
}
