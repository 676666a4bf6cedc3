package service_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/private"
	"ace/shared/task"
)

// below opens the files below a directory.
type below string

func (b below) Open(path string) (io.ReadCloser, error) { return private.Below(string(b), path) }

// file writes a file and returns its path.
func file(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSubmit_AFileThatDiffFileNamesIsImported(t *testing.T) {
	b := newRepairBench(t)
	dir := t.TempDir()
	b.Files = below(dir)
	for name, body := range map[string]string{"ours.json": users(), "of the peer.json": peersDocument} {
		path := file(t, dir, name, body)
		want := task.Document{Key: archive.ImportKey(hash(body)), Size: int64(len(body)), SHA256: hash(body)}
		rerun, err := b.SubmitTableRerun(t.Context(), rerunOf(t, path, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Tasks.Get(t.Context(), rerun.TaskID); err != nil || got.Input == nil || *got.Input != want || !strings.Contains(string(got.Parameters), path) {
			t.Errorf("%s: stored %+v with document %+v, %v", name, got, got.Input, err)
		}

		first, err := b.SubmitTableRepair(t.Context(), repairOf(t, path, nil))
		if err != nil {
			t.Fatal(err)
		}
		same, err := b.SubmitTableRepair(t.Context(), repairOf(t, want.Key, nil))
		if err != nil || same.TaskID != first.TaskID {
			t.Errorf("%s: the same document by its key starts %s, %v; by its path %s", name, same.TaskID, err, first.TaskID)
		}
		if _, err := b.Tasks.RequestCancel(t.Context(), first.TaskID); err != nil { // releases the table
			t.Fatal(err)
		}
	}
	if got := b.objects(t, archive.ImportPrefix); len(got) != 2 {
		t.Errorf("imported are %v", got)
	}
	if left := b.objects(t, archive.IncomingPrefix); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func TestSubmit_AFileThatIsNoDocumentIsRefusedByItsPath(t *testing.T) {
	b := newRepairBench(t)
	dir := t.TempDir()
	large := file(t, dir, "large.json", strings.Replace(peersDocument, "[]", "["+strings.Repeat(`{"id":1},`, 1<<17)+`{"id":2}]`, 1))
	broken := file(t, dir, "broken.json", users()[:100])
	for path, want := range map[string]string{
		large:                     ": the file is too large; the maximum is ACE_MAX_IMPORT_MB",
		broken:                    ": ",
		file(t, dir, "empty", ""): ": ",
		dir + "/missing":          ": " + dir + "/missing cannot be used: no such file or directory",
		"/etc/passwd":             `: "/etc/passwd" is not below ` + dir,
	} {
		b.Files = below(dir)
		_, err := b.SubmitTableRerun(t.Context(), rerunOf(t, path, nil))
		if text := fault.PublicMessage(err); fault.CodeOf(err) != fault.Invalid || !strings.HasPrefix(text, `diff_file is "`+path+`"`+want) {
			t.Errorf("%s: %v", path, err)
		}
		b.Files = nil
		_, err = b.SubmitTableRepair(t.Context(), repairOf(t, path, nil))
		if text := fault.PublicMessage(err); fault.CodeOf(err) != fault.Invalid ||
			text != `diff_file is "`+path+`": functions read no files: POST the document to /ace/diffs and use the diff_file of the answer` {
			t.Errorf("in functions, %s: %v", path, err)
		}
	}
	for _, prefix := range []string{archive.ImportPrefix, archive.IncomingPrefix, archive.TasksPrefix} {
		if left := b.objects(t, prefix); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	}
}
