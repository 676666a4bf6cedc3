package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/versity/versitygw/backend/meta"

	"ace/shared/fault"
)

// noAttributes answers like a filesystem without extended attributes.
type noAttributes struct{}

func (noAttributes) StoreAttribute(*os.File, string, string, string, []byte) error {
	return syscall.ENOTSUP
}

func TestCheckAttributes_RefusesAFilesystemWithoutThem(t *testing.T) {
	dir := t.TempDir()
	err := checkAttributes(dir, noAttributes{})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "extended attributes") ||
		!strings.Contains(fault.PublicMessage(err), dir) {
		t.Errorf("got %v, want Invalid naming what is missing and where", err)
	}
	if err := checkAttributes(dir, meta.XattrMeta{}); err != nil {
		t.Errorf("the filesystem of the tests was refused: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the check left %v behind, %v", left, err)
	}
}

func TestExists_NamesADirectoryThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, lockFile)
	if archive, directory, err := Exists(dir); archive || !directory || err != nil {
		t.Errorf("an empty directory: %v, %v, %v", archive, directory, err)
	}
	if err := os.WriteFile(file, nil, fileMode); err != nil {
		t.Fatal(err)
	}
	if archive, directory, err := Exists(dir); !archive || !directory || err != nil {
		t.Errorf("an archive: %v, %v, %v", archive, directory, err)
	}
	if archive, directory, err := Exists(filepath.Join(dir, "none")); archive || directory || err != nil {
		t.Errorf("no directory: %v, %v, %v", archive, directory, err)
	}

	below := filepath.Join(file, "data")
	_, _, err := Exists(below)
	if want := "the data directory cannot be used: stat " + below + ": not a directory"; fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
