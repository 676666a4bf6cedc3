package backup_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/shared/backup"
	"ace/shared/fault"
)

// sumOf returns the sum of an object as the archive writes it.
func sumOf(path, content string) []byte {
	return fmt.Appendf(nil, "# type: application/json\n%x  files/%s\n", sha256.Sum256([]byte(content)), path)
}

// objects returns objects of several sizes. One has a name that needs a long header.
func objects() map[string]string {
	return map[string]string{
		"tasks/td_20240315_123456/task.json": "{}", "open/td_20240315_123456": "", "diffs/2024-03-15/td_20240315_123456.json": strings.Repeat("0123456789abcdef", 100),
		"index/" + strings.Repeat("%c3%a4", 30) + "%/" + strings.Repeat("n", 200): "x", "locks/block": strings.Repeat("b", 512),
	}
}

var taken = time.Date(2024, 3, 15, 12, 34, 56, 0, time.UTC)

// write returns a backup of the objects. Of the objects in damaged, the content does not
// have the SHA-256 of the sum.
func write(t testing.TB, all map[string]string, damaged ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := backup.NewWriter(&out, backup.Owner{UID: 1, GID: 2, Name: "ace"}, taken, "v1")
	for _, path := range slices.Sorted(maps.Keys(all)) {
		content := all[path]
		sum := sumOf(path, content)
		if slices.Contains(damaged, path) {
			content = strings.ToUpper(content) + "!"
		}
		err := w.Add(backup.Object{Path: path, Sum: sum, Size: int64(len(content)), ModTime: taken, Content: strings.NewReader(content)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read reads a backup.
func read(in io.Reader) (map[string]string, backup.Manifest, error) {
	found := map[string]string{}
	m, err := backup.Read(in, func(o backup.Object) error {
		content, err := io.ReadAll(o.Content)
		found[o.Path] = string(content)
		return err
	})
	return found, m, err
}

func TestRead_ReturnsWhatWasWritten(t *testing.T) {
	found, m, err := read(bytes.NewReader(write(t, objects())))
	if err != nil || !maps.Equal(found, objects()) {
		t.Errorf("got %d objects, %v", len(found), err)
	}
	if m.Format != backup.Format || m.Objects != 5 || m.Bytes != 1600+512+3 || !m.TakenAt.Equal(taken) || m.Version != "v1" || len(m.Damaged) != 0 {
		t.Errorf("the manifest is %+v", m)
	}
	if _, m, err := read(bytes.NewReader(write(t, nil))); err != nil || m.Objects != 0 {
		t.Errorf("of no objects: %+v, %v", m, err)
	}
}

func TestRead_RefusesABackupThatEndsEarly(t *testing.T) {
	whole := write(t, objects())
	for n := range len(whole) {
		if n%512 > 1 && n%512 < 511 {
			continue
		}
		if _, _, err := read(bytes.NewReader(whole[:n])); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "not complete") {
			t.Fatalf("the first %d of %d bytes: %v", n, len(whole), err)
		}
	}
	_, _, err := read(bytes.NewReader(whole[:3000]))
	if !strings.Contains(fault.PublicMessage(err), "the object diffs/2024-03-15/td_20240315_123456.json") {
		t.Errorf("the error does not name the object: %v", err)
	}
}

// Padding and parts of headers are not content: a change there must change no object.
func TestRead_NoChangedByteChangesAnObject(t *testing.T) {
	whole := write(t, objects())
	refused := 0
	for n := range whole {
		changed := bytes.Clone(whole)
		changed[n] ^= byte(1 + rand.N(255))
		found, _, err := read(bytes.NewReader(changed))
		if err == nil && !maps.Equal(found, objects()) {
			t.Fatalf("with another byte %d, other objects were read", n)
		}
		if err != nil {
			refused++
		}
	}
	if refused < 3000 {
		t.Errorf("only %d of %d changes were refused", refused, len(whole))
	}
}

func TestRead_RefusesARemovedObject(t *testing.T) {
	all := objects()
	delete(all, "locks/block")
	less := write(t, all)
	whole := write(t, objects())
	manifest := bytes.LastIndex(whole, []byte(backup.ManifestFile+"\x00"))
	forged := append(less[:bytes.LastIndex(less, []byte(backup.ManifestFile+"\x00"))], whole[manifest:]...)
	if _, _, err := read(bytes.NewReader(forged)); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "4 objects") {
		t.Errorf("got %v", err)
	}
}

func TestRead_NamesAnObjectThatIsDamagedInTheArchive(t *testing.T) {
	found, m, err := read(bytes.NewReader(write(t, objects(), "locks/block")))
	if err != nil || !slices.Equal(m.Damaged, []string{"locks/block"}) || found["locks/block"] != strings.Repeat("B", 512)+"!" {
		t.Errorf("got %+v, %v", m, err)
	}
}

// Many damaged objects do not prevent the backup of all others. Which objects are damaged
// is verified however many they are.
func TestRead_AcceptsThatManyObjectsAreDamagedInTheArchive(t *testing.T) {
	for _, count := range []int{backup.MaxDamaged - 1, backup.MaxDamaged, backup.MaxDamaged + 1, 3 * backup.MaxDamaged} {
		var out bytes.Buffer
		w := backup.NewWriter(&out, backup.Owner{}, taken, "v1")
		for n := range count + 1 {
			path, content := fmt.Sprintf("object-%d", n), "content"
			sum := sumOf(path, content)
			if n < count {
				content = "damaged"
			}
			if err := w.Add(backup.Object{Path: path, Sum: sum, Size: 7, Content: strings.NewReader(content)}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		whole := out.Bytes()
		found, m, err := read(bytes.NewReader(whole))
		if err != nil || m.DamagedCount() != int64(count) || len(m.Damaged) != min(count, backup.MaxDamaged) || len(found) != count+1 {
			t.Errorf("%d damaged objects: read %d objects, %d of them damaged, %v", count, len(found), m.DamagedCount(), err)
		}

		last := bytes.LastIndex(whole, []byte("content"))
		whole[last] ^= 1 // the only object that was whole
		if _, _, err := read(bytes.NewReader(whole)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%d damaged objects: another one is accepted: %v", count, err)
		}
	}
}

// A damaged sum must not make the backup of all other objects unreadable.
func TestRead_NamesAnObjectWhoseSumIsTooLong(t *testing.T) {
	for _, begins := range []string{string(sumOf("a", "content")), ""} {
		var out bytes.Buffer
		w := backup.NewWriter(&out, backup.Owner{}, taken, "v1")
		sum := []byte(begins + strings.Repeat("x", backup.MaxSum))
		if err := w.Add(backup.Object{Path: "a", Sum: sum, Size: 7, Content: strings.NewReader("content")}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if found, m, err := read(&out); err != nil || !slices.Equal(m.Damaged, []string{"a"}) || found["a"] != "content" {
			t.Errorf("got %+v, %v", m, err)
		}
	}
}

func TestRead_RefusesAnObjectThatWasDamagedLater(t *testing.T) {
	whole := write(t, objects())
	at := bytes.Index(whole, []byte("abcdef"))
	whole[at+900] ^= 1
	if _, _, err := read(bytes.NewReader(whole)); fault.CodeOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "the object diffs/2024-03-15/td_20240315_123456.json does not have its SHA-256") {
		t.Errorf("got %v", err)
	}
}

func TestRead_RefusesWhatIsNoBackup(t *testing.T) {
	for name, path := range map[string]string{"a path out of the directory": "../../etc/cron.d/x", "a hidden file": ".ssh", "an absolute path": "/x", "a capital letter": "A"} {
		if _, _, err := read(bytes.NewReader(write(t, map[string]string{path: "x"}))); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "no backup", strings.Repeat("no backup", 1000)} {
		if _, _, err := read(strings.NewReader(text)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	newer := bytes.Replace(write(t, nil), []byte("ace-backup/1"), []byte("ace-backup/2"), 1)
	if _, _, err := read(bytes.NewReader(newer)); !strings.Contains(fmt.Sprint(err), "ace-backup/2") {
		t.Errorf("a newer format: %v", err)
	}
}

// A small file with a hole would fill the disk of a restore.
func TestRead_RefusesAFileWithHoles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/files", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(dir+"/files/a", []byte("x"), 0o600), os.Truncate(dir+"/files/a", 1<<40)); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"pax", "gnu"} {
		command := exec.CommandContext(t.Context(), "tar", "--format="+format, "--sparse", "-c", "files/a")
		command.Dir = dir
		content, err := command.Output()
		if err != nil || len(content) > 1<<20 {
			t.Fatalf("%s: %d bytes, %v", format, len(content), err)
		}
		_, err = backup.Read(bytes.NewReader(content), func(o backup.Object) error {
			return fmt.Errorf("an object of %d bytes", o.Size)
		})
		if fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestRead_ReturnsTheErrorsOfBothSides(t *testing.T) {
	broken := errors.New("connection lost")
	_, _, err := read(io.MultiReader(bytes.NewReader(write(t, objects())[:2000]), failing{broken}))
	if !errors.Is(err, broken) || fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("of the input: %v", err)
	}
	full := errors.New("disk full")
	if _, err := backup.Read(bytes.NewReader(write(t, objects())), func(backup.Object) error { return full }); !errors.Is(err, full) {
		t.Errorf("of the output: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzRead(f *testing.F) {
	f.Add(write(f, objects()))
	f.Add(write(f, nil))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := backup.Read(bytes.NewReader(data), func(o backup.Object) error {
			if !backup.IsPath(o.Path) {
				t.Errorf("the path %q", o.Path)
			}
			return nil
		})
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("got %v", err)
		}
	})
}
