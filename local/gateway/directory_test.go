package gateway

import (
	"os"
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
