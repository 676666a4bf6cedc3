package pgserver

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestParseStat_KnowsThisProcess(t *testing.T) {
	line, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseStat(string(line))
	if want := (stat{pid: os.Getpid(), state: got.state, parent: os.Getppid()}); err != nil || got != want {
		t.Errorf("parseStat = %v, %v; want %v", got, err, want)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add(12, "postgres", 1)
	f.Add(12, "a) R 7 (b", 3)
	f.Add(-1, "", 0)
	f.Fuzz(func(t *testing.T, pid int, command string, parent int) {
		got, err := parseStat(fmt.Sprintf("%d (%s) S %d 0 0", pid, command, parent))
		if want := (stat{pid: pid, state: 'S', parent: parent}); err != nil || got != want {
			t.Errorf("parseStat = %v, %v; want %v", got, err, want)
		}
		if _, err := parseStat(strings.ReplaceAll(command, "(", "")); err == nil {
			t.Errorf("%q was taken for a stat line", command)
		}
	})
}
