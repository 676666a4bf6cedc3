package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
	"github.com/dustin/go-humanize"

	"ace/shared/api"
	"ace/shared/render"
)

// functions returns the functions that the templates call.
func (p *Page) functions() template.FuncMap {
	return template.FuncMap{
		"visible": render.Visible, "plain": render.Plain, "number": humanize.Comma, "chart": chart,
		"count": render.Quantity, "duration": duration, "bytes": func(n int64) string { return humanize.Bytes(uint64(max(n, 0))) },
		"when":   func(t any) template.HTML { return when(instant(t), p.Now()) },
		"state":  func(t api.TaskStatus) label { return stateOf(t) },
		"kind":   kindOf,
		"indent": indent, "upper": strings.ToUpper, "partial": partial,
		"verdict": verdictText, "color": verdictClass, "isTable": isComparison,
		"list":      render.Sentence,
		"requester": func(by *api.RequestedBy) string { return by.String() },
		"add":       func(a, b int64) int64 { return a + b },

		// Methods are functions here, because templates call no methods, see
		// ARCHITECTURE.md, "Size of the program".
		"isTime": func(t any) bool { return !instant(t).IsZero() },
		"isFlag": field.IsFlag, "isChoice": field.IsChoice, "isLong": field.IsLong,
		"isSet": field.Checked, "isSelected": field.Is, "help": field.Help, "chosen": url.Values.Get,
		"last": rowPages.Last, "previous": rowPages.Previous,
		"opened": (*compareView).Opened, "statement": (*confirmation).Statement,
	}
}

// instant converts a time.Time or an api.Time to a time.Time. It returns the zero time
// for a value of another type.
func instant(t any) time.Time {
	switch t := t.(type) {
	case time.Time:
		return t
	case api.Time:
		return t.Time
	}
	return time.Time{}
}

// when returns an HTML element that shows how long before or after now the time t is,
// such as "3 h ago". The title of the element is t itself. For the zero time, when
// returns "".
func when(t, now time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s UTC">%s</time>`,
		t.Format(time.RFC3339), t.Format(time.DateTime), relative(now.Sub(t))))
}

// relative returns an age in words, such as "3 h ago". A negative age is in the future:
// "in 5 min".
func relative(age time.Duration) string {
	form := "%s ago"
	if age < 0 {
		age, form = -age, "in %s"
	}
	seconds := age.Seconds()
	for _, unit := range []struct {
		name  string
		size  float64
		below float64 // the unit is used only for numbers below this one: "s" up to 59
	}{{"s", 1, 60}, {"min", 60, 60}, {"h", 3600, 48}, {"days", 86400, 60}, {"months", 30.44 * 86400, 24}, {"years", 365.25 * 86400, math.Inf(1)}} {
		n := math.Floor(seconds / unit.size)
		if n >= unit.below {
			continue
		}
		if n < 1 && unit.name == "s" {
			return "now"
		}
		return fmt.Sprintf(form, fmt.Sprintf("%.0f %s", n, unit.name))
	}
	return ""
}

// duration returns a number of seconds in words, such as "1.5 s", "2 min 3 s" or
// "1 h 5 min". s is a float64, a *float64 or an *api.Seconds. A nil pointer is "".
func duration(s any) string {
	var seconds float64
	switch s := s.(type) {
	case float64:
		seconds = s
	case *float64:
		if s == nil {
			return ""
		}
		seconds = *s
	case *api.Seconds:
		if s == nil {
			return ""
		}
		seconds = float64(*s)
	}
	switch {
	case seconds < 60:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d min %d s", int(seconds)/60, int(seconds)%60)
	}
	return fmt.Sprintf("%d h %d min", int(seconds)/3600, int(seconds)/60%60)
}

// indent returns JSON with line breaks and indentation. It returns invalid JSON
// unchanged.
func indent(raw json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return string(raw)
	}
	return out.String()
}

// label is a short text and the CSS class that sets its color.
type label struct{ Text, Class string }

// stateOf returns the label of a task: the verdict of a completed comparison, or the
// status of any other task in words, such as "running", "dry run" or "done".
func stateOf(t api.TaskStatus) label {
	switch t.Status {
	case api.StatusQueued:
		return label{"waiting", "waiting"}
	case api.StatusRunning:
		return label{"running", "running"}
	case api.StatusFailed:
		return label{"failed", "differ"}
	case api.StatusCancelled:
		return label{"cancelled", "waiting"}
	}

	var result struct {
		Verdict        string `json:"verdict"`
		MismatchedRows int64  `json:"mismatched_rows"`
		DryRun         bool   `json:"dry_run"`
	}
	_ = json.Unmarshal(t.Result, &result) // if the result is not a JSON object, there is no verdict
	switch {
	case result.Verdict == api.VerdictMatch:
		return label{"match", "match"}
	case result.Verdict != "":
		return label{verdictText(result.Verdict, result.MismatchedRows), "differ"}
	case result.DryRun:
		return label{"dry run", "waiting"}
	}
	return label{"done", "waiting"}
}

// verdictText returns a verdict in words, such as "2 rows differ". A comparison of
// several tables can have the verdict "differ" with 0 rows. Its verdict is "" if it found
// no difference but could not compare all tables.
func verdictText(verdict string, rows int64) string {
	switch {
	case verdict == "":
		return "incomplete"
	case verdict != api.VerdictDiffer || rows == 0:
		return verdict
	case rows == 1:
		return "1 row differs"
	}
	return render.Quantity(rows, "row") + " differ"
}

// verdictClass returns the CSS class that sets the color of a verdict.
func verdictClass(verdict string) string {
	switch verdict {
	case api.VerdictMatch:
		return "match"
	case "":
		return "waiting"
	}
	return "differ"
}

// kindOf returns the name of a type of task for readers, such as "Comparison".
func kindOf(taskType string) string {
	names := map[string]string{
		api.TypeTableDiff: "Comparison", api.TypeTableRerun: "Rerun", api.TypeTableRepair: "Repair", api.TypeTableUndo: "Undo",
		api.TypeSchemaDiff: "Schema comparison", api.TypeRepsetDiff: "Replication set comparison", api.TypeReplicationDiff: "Replication check",
	}
	if name, ok := names[taskType]; ok {
		return name
	}
	return taskType
}

// isComparison reports whether a task of this type compares the rows of one table, so
// that its document has the rows that differ.
func isComparison(taskType string) bool {
	return slices.Contains([]string{api.TypeTableDiff, api.TypeTableRerun}, taskType)
}
