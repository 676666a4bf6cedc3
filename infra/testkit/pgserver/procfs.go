package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// stat is the state of a process according to the kernel.
type stat struct {
	pid    int
	state  byte // such as T: stopped; Z: ended, but its parent has not waited for it
	parent int
}

// children returns the ids of the processes whose parent is pid.
func children(pid int) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	var found []int
	for _, file := range files {
		if s, err := readStat(file); err == nil && s.parent == pid { // an error means that the process has ended meanwhile
			found = append(found, s.pid)
		}
	}
	return found
}

// awaitTimeout bounds await, because a process may hang in the kernel.
const awaitTimeout = 10 * time.Second

// await returns when the process is in the given state or has ended.
func await(pid int, state byte) {
	file := fmt.Sprintf("/proc/%d/stat", pid)
	for deadline := time.Now().Add(awaitTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s, err := readStat(file); err != nil || s.state == state {
			return
		}
	}
}

func readStat(file string) (stat, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(content))
}

// parseStat reads "pid (command) state parent ..."; the command may contain blanks and
// parentheses.
func parseStat(line string) (stat, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("not a stat line: %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 2 {
		return stat{}, fmt.Errorf("not a stat line: %q", line)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:open]))
	if err != nil {
		return stat{}, err
	}
	parent, err := strconv.Atoi(fields[1])
	return stat{pid: pid, state: fields[0][0], parent: parent}, err
}
