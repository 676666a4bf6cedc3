package main

import (
	"io"

	"ace/shared/fault"
	"ace/shared/private"
)

// importDir is the directory of the files that a diff_file may name, ACE_IMPORT_DIR. It
// is an absolute path. If it is empty, no file may be named.
type importDir string

// Open opens the file at an absolute path, which must be below d.
func (d importDir) Open(path string) (io.ReadCloser, error) {
	if d == "" {
		return nil, fault.New(fault.Invalid, "files of the server are not read: to read those below a directory DIR, start ace serve with --import-dir DIR or set ACE_IMPORT_DIR; "+
			"or POST the document to /ace/diffs and use the diff_file of the answer")
	}
	return private.Below(string(d), path)
}
