package pgserver

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseSharedMemory removes the System V segment by which PostgreSQL detects a second
// server on a data directory. A clean stop removes it together with postmaster.pid. After
// a kill both are left, and the kernel supports only a small number of segments.
func releaseSharedMemory(dataDir string) {
	content, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 7 {
		return
	}
	fields := strings.Fields(lines[6]) // key and id of the segment
	if len(fields) != 2 {
		return
	}
	if id, err := strconv.Atoi(fields[1]); err == nil {
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) // an error means that the segment is already removed
	}
}
