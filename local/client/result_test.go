package client

import (
	"bytes"
	"testing"
)

func TestPrintRules_ListsTheRulesInTheirOrder(t *testing.T) {
	var out bytes.Buffer
	s := &session{Options: Options{Stdout: &out}}
	s.printRules(changes{Rules: map[string]int64{"otherwise": 1234, "10 rest": 1, "2 stock": 3, "1": 2}})
	const want = "decided by rule 1: 2\ndecided by rule 2 stock: 3\ndecided by rule 10 rest: 1\ndecided by otherwise: 1,234\n"
	if got := out.String(); got != want {
		t.Errorf("printed:\n%swant:\n%s", got, want)
	}
}
