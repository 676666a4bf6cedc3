package api_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
)

// FuzzDecodeRequests checks the decoder of every request: it returns within seconds, and
// each error is a mistake of the caller, in a message of bounded size.
func FuzzDecodeRequests(f *testing.F) {
	decoders := []func(api.Params) error{
		func(p api.Params) error { _, err := api.DecodeTableDiff(p); return err },
		func(p api.Params) error { _, err := api.DecodeTableRerun(p); return err },
		func(p api.Params) error { _, err := api.DecodeTableRepair(p); return err },
		func(p api.Params) error { _, err := api.DecodeTableUndo(p); return err },
		func(p api.Params) error { _, err := api.DecodeSchemaDiff(p); return err },
		func(p api.Params) error { _, err := api.DecodeRepsetDiff(p); return err },
		func(p api.Params) error { _, err := api.DecodeReplicationDiff(p); return err },
		func(p api.Params) error { _, err := api.DecodeTables(p); return err },
		func(p api.Params) error { _, err := api.DecodeTask(p); return err },
		func(p api.Params) error { _, err := api.DecodeTasks(p); return err },
		func(p api.Params) error { _, err := api.DecodeDiffs(p); return err },
		func(p api.Params) error { _, err := api.DecodeDiff(p); return err },
		func(p api.Params) error { _, err := api.DecodeReport(p); return err },
		func(p api.Params) error { _, err := api.DecodeClusters(p); return err },
		func(p api.Params) error { _, err := api.DecodeClusterCheck(p); return err },
		func(p api.Params) error { _, err := api.DecodeAudit(p); return err },
		func(p api.Params) error { _, err := api.DecodeBackup(p); return err },
		func(p api.Params) error { _, err := api.DecodeRules(p); return err },
		func(p api.Params) error { _, err := api.DecodeAddRules(p); return err },
		func(p api.Params) error { _, err := api.DecodeImport(p); return err },
		func(p api.Params) error { _, err := api.DecodeSchedules(p); return err },
		func(p api.Params) error { _, err := api.DecodeHealth(p); return err },
		func(p api.Params) error { _, err := api.DecodeOpenAPI(p); return err },
	}
	f.Add("cluster_name=demo&table_name=a.b&diff_file=td_20240315_123456&source_of_truth=n1", "", "", "")
	f.Add("schema_name=a,b&tables=x*&skip_tables=y?&redact=ssn&allow_lag=true&max_clock_skew=1s", "application/json", `{"nodes":["n1","n2"]}`, "td_20240315_123456")
	f.Add("since=2026-03-01&until=2026-04-01T00:00:00Z&limit=10&after=x&status=RUNNING&parent=sd_20240315_123456", "", "", "../x")
	f.Add("resolve=newest&missing=keep&nodes=a,b&ignore_columns=%22a%22%22b%22&confirm_delay=1.5", "application/x-www-form-urlencoded", "a=b", "")
	f.Fuzz(func(t *testing.T, rawQuery, contentType, body, arg string) {
		params, err := api.ParseParams(rawQuery, contentType, []byte(body))
		if err != nil {
			checkInvalid(t, err)
			return
		}
		start := time.Now()
		for i, decode := range decoders {
			if err := decode(params.WithArg(arg)); err != nil {
				checkInvalid(t, err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Fatalf("decoder %d took %v for %d bytes", i, took, len(rawQuery)+len(body))
			}
		}
	})
}

// checkInvalid checks that an error is the caller's mistake, in a message of bounded
// size. For a malformed id or an id of another type of task, the code may be NotFound.
func checkInvalid(t *testing.T, err error) {
	t.Helper()
	code := fault.CodeOf(err)
	if code != fault.Invalid && code != fault.NotFound || len(fault.PublicMessage(err)) > 17<<10 {
		t.Fatalf("a bad request returned code %q and %d bytes: %.300v", code, len(fault.PublicMessage(err)), err)
	}
}

// FuzzDuration checks that the text of an accepted duration is accepted and equal.
func FuzzDuration(f *testing.F) {
	for _, text := range []string{"1s", "0", "2.5", "500ms", "-1h", "1e9s", ".", "9999999999999h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := api.ParseDuration(text)
		if err != nil {
			return
		}
		if again, err := api.ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%q is %v, which is %v: %v", text, d, again, err)
		}
	})
}

// FuzzTime checks that an accepted time is written and read as the same time.
func FuzzTime(f *testing.F) {
	for _, text := range []string{`"2024-03-15T12:34:56Z"`, `null`, `""`, `"0000-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999999999+23:59"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var first, again api.Time
		if json.Unmarshal(raw, &first) != nil {
			return
		}
		once, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%s is accepted, yet cannot be written: %v", raw, err)
		}
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("%s becomes %s, which is refused: %v", raw, once, err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s becomes %s, then %s: %v", raw, once, twice, err)
		}
	})
}

// FuzzParsePatterns checks that accepted patterns are bounded and not empty.
func FuzzParsePatterns(f *testing.F) {
	f.Add("a*,b?")
	f.Add(" , ")
	f.Fuzz(func(t *testing.T, text string) {
		patterns, err := api.ParsePatterns(text)
		if err != nil {
			return
		}
		for _, p := range patterns {
			if p == "" || len(p) > api.MaxPattern {
				t.Errorf("%q has the pattern %q", text, p)
			}
		}
	})
}
