package mcpserver

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"ace/shared/api"
)

func TestShorten_NoValueIsLong(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value := strings.Repeat(rapid.String().Draw(rt, "part"), rapid.IntRange(0, 300).Draw(rt, "times"))
		short := *shorten(&value)
		switch n := utf8.RuneCountInString(value); {
		case n <= maxValue && short != value:
			rt.Errorf("a value of %d characters was changed to %q", n, short)
		case n > maxValue && (utf8.RuneCountInString(short) > maxValue+40 || !strings.HasSuffix(short, "("+strconv.Itoa(n)+" characters)")):
			rt.Errorf("a value of %d characters became %q", n, short)
		}
	})
	if shorten(nil) != nil {
		t.Error("NULL did not stay NULL")
	}
}

func TestEscaped_ReachesEveryTextOfAnAnswer(t *testing.T) {
	x := &tools{Options{Escape: strings.ToUpper}}
	plain, err := x.escaped(map[string]any{"name": []any{"value", 1, nil, map[string]any{"inner": "text"}}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(plain)
	if err != nil || string(raw) != `{"NAME":["VALUE",1,null,{"INNER":"TEXT"}]}` {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestAnswerOf_LeavesOutWhatAnAgentDoesNotNeed(t *testing.T) {
	a := answerOf(api.TaskStatus{Status: api.StatusCompleted, Result: json.RawMessage(`{"verdict":"differ","summary":{"timings":{},"pairs":{"n1/n2":{}},"restricted":1}}`)})
	summary, _ := a.Result["summary"].(map[string]any)
	if _, hasTimings := summary["timings"]; hasTimings || summary["pairs"] == nil || summary["restricted"] != 1.0 || a.Result["verdict"] != "differ" || !a.Ended {
		t.Errorf("%+v", a)
	}
	large := answerOf(api.TaskStatus{Result: json.RawMessage(`"` + strings.Repeat("x", maxResult) + `"`)})
	if large.Result != nil || large.Note == "" {
		t.Errorf("a large result: %+v", large)
	}
}

func TestColumnList_QuotesEveryName(t *testing.T) {
	if got := columnList([]string{"id", "Last Name", `a"b`}); got != `"id","Last Name","a""b"` {
		t.Error(got)
	}
	if columnList(nil) != "" {
		t.Error("no name is not an empty text")
	}
}
