package private_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ace/shared/fault"
	"ace/shared/private"
)

// closed returns a directory that is closed to other users.
func closed(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(dir, 0o700))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	must(t, os.WriteFile(path, []byte("content"), 0o600))
	must(t, os.Chmod(path, mode))
}

// chown changes the owner of a file to another user.
func chown(t *testing.T, path string) {
	t.Helper()
	if err := os.Lchown(path, 65534, 65534); err != nil {
		t.Fatalf("run this test as root: %v", err)
	}
}

// plants returns functions that create something unwanted at the path of a file, such as
// a link, a device or a file of another user.
func plants(t *testing.T) map[string]func(path string) {
	victim := filepath.Join(t.TempDir(), "victim")
	write(t, victim, 0o600)
	t.Cleanup(func() {
		if text, err := os.ReadFile(victim); err != nil || string(text) != "content" {
			t.Errorf("the target of the link is %q, %v", text, err)
		}
	})
	return map[string]func(path string){
		"a symbolic link":           func(path string) { must(t, os.Symlink(victim, path)) },
		"a symbolic link, dangling": func(path string) { must(t, os.Symlink(victim+"2", path)) },
		"a hard link":               func(path string) { must(t, os.Link(victim, path)); t.Cleanup(func() { _ = os.Remove(path) }) },
		"a named pipe":              func(path string) { must(t, syscall.Mkfifo(path, 0o600)) },
		"a device":                  func(path string) { must(t, syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|3)) },
		"a directory":               func(path string) { must(t, os.Mkdir(path, 0o700)) },
		"a socket": func(path string) {
			l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
			must(t, err)
			t.Cleanup(func() { l.Close() })
		},
		"a file that others may read":  func(path string) { write(t, path, 0o604) },
		"a file that others may write": func(path string) { write(t, path, 0o602) },
		"a file that a group may read": func(path string) { write(t, path, 0o640) },
		"a file of another user":       func(path string) { write(t, path, 0o600); chown(t, path) },
	}
}

// checkRefusal checks that an error names the path, the owner, the mode and what to do.
func checkRefusal(t *testing.T, what, path string, err error) {
	t.Helper()
	text := fault.PublicMessage(err)
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(text, path) || !strings.Contains(text, "owner ") || !strings.Contains(text, "mode 0") ||
		!strings.Contains(text, "remove it") && !strings.Contains(text, "run: ch") {
		t.Errorf("%s: got %v", what, err)
	}
}

func TestOpen_RejectsFilesThatOthersMayHaveCreated(t *testing.T) {
	for name, plant := range plants(t) {
		for _, flag := range []int{os.O_RDONLY, os.O_RDWR | os.O_CREATE} {
			path := filepath.Join(closed(t), "file")
			plant(path)
			file, err := private.Open(path, flag)
			if err == nil {
				file.Close()
			}
			checkRefusal(t, name, path, err)
		}
	}
	path := filepath.Join(closed(t), "file")
	if _, err := private.Open(path, os.O_RDONLY); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
	file, err := private.Open(path, os.O_RDWR|os.O_CREATE)
	must(t, err)
	file.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the new file is %v, %v", info, err)
	}
}

func TestWrite_DoesNotFollowALink(t *testing.T) {
	for name, plant := range plants(t) {
		dir := closed(t)
		path := filepath.Join(dir, "file")
		plant(path + ".new")
		must(t, private.Write(path, []byte("secret")))
		info, err := os.Lstat(path)
		must(t, err)
		if text, err := os.ReadFile(path); err != nil || string(text) != "secret" || info.Mode() != 0o600 {
			t.Errorf("%s: the file has %q and mode %v, %v", name, text, info.Mode(), err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: left are %v, %v", name, entries, err)
		}
	}
}

func TestDirectory_BelongsToTheServiceAndIsClosed(t *testing.T) {
	parent := closed(t)
	path := filepath.Join(parent, "a", "b")
	must(t, private.Directory(path))
	must(t, private.Directory(path))
	for _, made := range []string{path, filepath.Dir(path)} {
		if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s is %v, %v", made, info, err)
		}
	}
	for _, mode := range []fs.FileMode{0o755, 0o777, 0o770, 0o711} {
		empty, used := filepath.Join(parent, fmt.Sprintf("empty%o", mode)), filepath.Join(parent, fmt.Sprintf("used%o", mode))
		for _, dir := range []string{empty, used} {
			must(t, os.Mkdir(dir, 0o700))
			must(t, os.Chmod(dir, mode))
		}
		write(t, filepath.Join(used, "lock"), 0o600)
		if info, err := os.Stat(empty); private.Directory(empty) != nil || err != nil {
			t.Errorf("%o: an empty directory is refused: %v, %v", mode, info, err)
		}
		if info, err := os.Stat(empty); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%o: it is left open: %v, %v", mode, info, err)
		}
		checkRefusal(t, "a directory that is not empty", used, private.Directory(used))
	}
	for name, plant := range plants(t) {
		path := filepath.Join(closed(t), "dir")
		if plant(path); name != "a directory" {
			checkRefusal(t, name, path, private.Directory(path))
		}
	}
	link, foreign := filepath.Join(parent, "link"), filepath.Join(parent, "foreign")
	must(t, os.Symlink(path, link))
	checkRefusal(t, "a link to a directory", link, private.Directory(link))
	must(t, os.Mkdir(foreign, 0o700))
	chown(t, foreign)
	checkRefusal(t, "a directory of another user", foreign, private.Directory(foreign))
}

func TestTree_AcceptsOnlyOwnFilesAndDirectories(t *testing.T) {
	for name, plant := range plants(t) {
		dir := closed(t)
		path := filepath.Join(dir, "a", "b", "c")
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, private.Tree(dir))
		plant(path)
		switch name {
		case "a directory", "a hard link", "a file that others may read", "a file that a group may read":
			must(t, private.Tree(dir)) // Tree accepts these, because the parent directory is closed to others
		default:
			checkRefusal(t, name, path, private.Tree(dir))
		}
	}
	dir := closed(t)
	open := filepath.Join(dir, "open")
	must(t, os.Mkdir(open, 0o700))
	must(t, os.Chmod(open, 0o777))
	checkRefusal(t, "a directory that others may write", open, private.Tree(dir))
}

func TestResolve_FollowsOnlyLinksOfRootAndTheServicesUser(t *testing.T) {
	dir, err := filepath.EvalSymlinks(closed(t))
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(dir, "real", "below"), 0o700))
	for name, target := range map[string]string{"absolute": filepath.Join(dir, "real"), "relative": "real", "upwards": "real/../real", "twice": "relative"} {
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	for path, want := range map[string]string{
		"real": "real", "absolute/below": "real/below", "relative/new/data": "real/new/data", "upwards": "real", "twice/below": "real/below", "new": "new",
	} {
		if got, err := private.Resolve(filepath.Join(dir, path)); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s is %s, %v, want %s", path, got, err, want)
		}
	}
	planted, loop := filepath.Join(dir, "planted"), filepath.Join(dir, "loop")
	must(t, os.Symlink("real", planted))
	chown(t, planted)
	_, err = private.Resolve(filepath.Join(planted, "below"))
	checkRefusal(t, "a link of another user", planted, err)
	must(t, os.Symlink("loop", loop))
	if _, err := private.Resolve(loop); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a link to itself: %v", err)
	}
}

func TestSecretAndInstructions_AreReadThroughLinksUnlessOthersCanChangeThem(t *testing.T) {
	secret := func(path string) ([]byte, error) { return private.Secret(path) }
	instructions := func(path string) ([]byte, error) { return private.Instructions(path, 100) }
	dir := closed(t)
	for _, tt := range []struct {
		mode                 fs.FileMode
		secret, instructions bool
	}{{0o600, true, true}, {0o400, true, true}, {0o644, false, true}, {0o664, false, true}, {0o640, false, true}, {0o666, false, false}, {0o602, false, false}} {
		path, link := filepath.Join(dir, fmt.Sprintf("%o", tt.mode)), filepath.Join(dir, fmt.Sprintf("link%o", tt.mode))
		write(t, path, tt.mode)
		must(t, os.Symlink(path, link))
		for _, name := range []string{path, link} {
			checkRead(t, fmt.Sprintf("a secret, %o", tt.mode), name, secret, tt.secret)
			checkRead(t, fmt.Sprintf("instructions, %o", tt.mode), name, instructions, tt.instructions)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for what, read := range map[string]func(string) ([]byte, error){"a secret": secret, "instructions": instructions} {
		_, err := read(pipe)
		checkRefusal(t, what+" in a pipe", pipe, err)
		if _, err := read(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s that are missing: %v", what, err)
		}
	}
	foreign := filepath.Join(dir, "foreign")
	write(t, foreign, 0o600)
	chown(t, foreign)
	_, err := secret(foreign)
	checkRefusal(t, "a secret of another user", foreign, err)
	if text := private.Doubts(foreign, false); !strings.Contains(text, "another user") {
		t.Errorf("instructions of another user: %q", text)
	}
	long := filepath.Join(dir, "long")
	must(t, os.WriteFile(long, []byte(strings.Repeat("x", 101)), 0o600))
	if _, err := instructions(long); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a long file: %v", err)
	}
}

// checkRead checks that a file is read or refused.
func checkRead(t *testing.T, what, path string, read func(string) ([]byte, error), allowed bool) {
	t.Helper()
	text, err := read(path)
	if !allowed {
		checkRefusal(t, what, path, err)
	} else if err != nil || string(text) != "content" {
		t.Errorf("%s: %q, %v", what, text, err)
	}
}

func TestSocketDirectory_RejectsADirectoryThatOthersCanWrite(t *testing.T) {
	dir := closed(t)
	path := filepath.Join(dir, "ace.sock")
	for mode, ok := range map[fs.FileMode]bool{
		0o700: true, 0o750: true, 0o755: true, 0o777 | fs.ModeSticky: true, 0o770: false, 0o777: false, 0o702: false,
	} {
		must(t, os.Chmod(dir, mode))
		err := private.SocketDirectory(path)
		if ok && err != nil {
			t.Errorf("%v: %v", mode, err)
		}
		if !ok {
			checkRefusal(t, fmt.Sprint(mode), dir, err)
		}
	}
	must(t, os.Chmod(dir, 0o700))
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	must(t, err)
	defer l.Close()
	must(t, private.Socket(path))
	chown(t, path)
	checkRefusal(t, "a socket of another user", path, private.Socket(path))
	chown(t, dir)
	checkRefusal(t, "a directory of another user", dir, private.SocketDirectory(path))
}
