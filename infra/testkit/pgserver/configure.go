package pgserver

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// defaults returns the settings for a fast and small server. Committed transactions
// survive Kill, because synchronous_commit is on, but not a crash of the machine.
func defaults() map[string]string {
	return map[string]string{
		"fsync":             "off",
		"full_page_writes":  "off",
		"max_connections":   "100",
		"shared_buffers":    "32MB",
		"max_wal_size":      "256MB",
		"lc_messages":       "C",
		"logging_collector": "off",
		"log_line_prefix":   "%m [%p] %d ",
		// With mmap the shared memory is in the data directory, so that a killed server
		// leaves nothing in /dev/shm.
		"dynamic_shared_memory_type": "mmap",
	}
}

// configure appends the settings to postgresql.conf. If a parameter occurs twice, the
// server uses the last value.
func configure(dataDir, socketDir string, settings map[string]string) error {
	all := defaults()
	maps.Copy(all, settings)
	all["listen_addresses"] = Host
	all["unix_socket_directories"] = socketDir

	var b strings.Builder
	b.WriteByte('\n')
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(all[name]))
	}
	file, err := os.OpenFile(filepath.Join(dataDir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(b.String()); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
