//go:build !unit

package testbed

import (
	"os"
	"path/filepath"
	"testing"

	"ace/infra/testkit/pgserver"
)

// program makes an executable file.
func program(t *testing.T, path string) string {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindPsql_PrefersTheOneNextToAServerToThatInThePath(t *testing.T) {
	dir := t.TempDir()
	inPath := program(t, filepath.Join(dir, "path", "psql"))
	nextTo := program(t, filepath.Join(dir, "newer", "psql"))
	older, newer := pgserver.Installation{Major: 15, BinDir: filepath.Join(dir, "older")}, pgserver.Installation{Major: 18, BinDir: filepath.Join(dir, "newer")}
	for _, tt := range []struct {
		name          string
		path          string
		installations []pgserver.Installation
		want          string
	}{
		{"next to one of the servers", filepath.Dir(inPath), []pgserver.Installation{older, newer}, nextTo},
		{"in PATH", filepath.Dir(inPath), []pgserver.Installation{older}, inPath},
		{"nowhere", "", []pgserver.Installation{older}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			got, err := pgserver.FindPsql(tt.installations)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
