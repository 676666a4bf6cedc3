//go:build !unit

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stranger is the user `nobody`, who owns no file.
var stranger = syscall.Credential{Uid: 65534, Gid: 65534}

// dirOf returns a directory of a user, through which other users can pass.
func dirOf(t *testing.T, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ace-of-")
	if err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.Chown(dir, uid, uid)
	}
	if err != nil {
		t.Fatalf("run this test as root: %v", err)
	}
	return dir
}

func try(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestServe_RefusesADataDirectoryThatOthersMayHaveChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		plant func(data, elsewhere string) error
		path  string // a path within the data directory
		want  string
	}{
		{"the directory is another user's", func(data, _ string) error { return os.Chown(data, 65534, 65534) }, "", "chown -R"},
		{"others may enter the directory", func(data, _ string) error { return os.Chmod(data, 0o755) }, "", "chmod 700"},
		{"others may write the directory", func(data, _ string) error { return os.Chmod(data, 0o777) }, "", "chmod 700"},
		{"the objects are elsewhere", func(data, elsewhere string) error { return os.Symlink(elsewhere, data+"/files") }, "files", "remove it"},
		{"the journal is elsewhere", func(data, elsewhere string) error { return os.Symlink(elsewhere, data+"/journal") }, "journal", "remove it"},
		{"the objects of an earlier version are elsewhere", func(data, elsewhere string) error {
			try(t, os.Mkdir(data+"/objects", 0o700))
			return os.Symlink(elsewhere, data+"/objects/ace")
		}, "objects/ace", "remove it"},
		{"an object is another user's", func(data, _ string) error {
			try(t, os.MkdirAll(data+"/files/tasks", 0o700), os.WriteFile(data+"/files/tasks/a", nil, 0o600))
			return os.Chown(data+"/files/tasks/a", 65534, 65534)
		}, "files/tasks/a", "chown -R"},
		{"others may write an object", func(data, _ string) error {
			try(t, os.MkdirAll(data+"/files/tasks", 0o700), os.WriteFile(data+"/files/tasks/a", nil, 0o600))
			return os.Chmod(data+"/files/tasks/a", 0o666)
		}, "files/tasks/a", "chmod go-w"},
		{"the lock is a pipe", func(data, _ string) error { return syscall.Mkfifo(data+"/lock", 0o600) }, "lock", "remove it"},
		{"the lock is a link", func(data, elsewhere string) error { return os.Symlink(elsewhere+"/victim", data+"/lock") }, "lock", "remove it"},
		{"a temporary file is a link", func(data, elsewhere string) error {
			try(t, os.Mkdir(data+"/tmp", 0o700))
			return os.Symlink(elsewhere+"/victim", data+"/tmp/1")
		}, "tmp/1", "remove it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			data, elsewhere := filepath.Join(dir, "data"), filepath.Join(dir, "elsewhere")
			try(t, os.Mkdir(data, 0o700), os.Mkdir(elsewhere, 0o700), os.WriteFile(elsewhere+"/victim", []byte("precious"), 0o600))
			try(t, os.WriteFile(data+"/something", nil, 0o600), tt.plant(data, elsewhere))
			got := refused(t, dir, settings{"ACE_LISTEN": "127.0.0.1:0", "ACE_STORE": "file://./data"}, exitConfig)
			for _, want := range []string{"ace: the data directory cannot be used: " + filepath.Join(data, tt.path) + " (owner ", ", mode 0", tt.want} {
				if !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
					t.Errorf("it says\n%s\nwant %q", got, want)
				}
			}
			if text, err := os.ReadFile(elsewhere + "/victim"); err != nil || string(text) != "precious" {
				t.Errorf("the other file has %q, %v", text, err)
			}
			if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) != 1 {
				t.Errorf("elsewhere are %v, %v", entries, err)
			}
		})
	}
}

func TestServe_ChecksObjectsAgainAfterTheDirectoryWasOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := settings{"ACE_LISTEN": "127.0.0.1:0", "ACE_LOG_FORMAT": "json"}
	p := start(t, dir, env, "serve")
	p.logged(t, "serving", "address")
	p.terminate(t, 10*time.Second)

	data := filepath.Join(dir, "ace-data")
	planted := data + "/files/planted"
	try(t, os.Chmod(data, 0o777), os.Symlink("/etc", planted), os.Chmod(data, 0o700))
	if got := refused(t, dir, env, exitConfig); !strings.Contains(got, planted+" (owner root (0), mode 0777) is a symbolic link") {
		t.Errorf("it says %s", got)
	}
	try(t, os.Remove(planted))
	start(t, dir, env, "serve").logged(t, "serving", "address")
}

func TestServe_OfAnotherUserKeepsItsDirectory(t *testing.T) {
	t.Parallel()
	dir := dirOf(t, int(stranger.Uid))
	env := settings{"ACE_LISTEN": "unix://" + dir + "/ace.sock", "ACE_LOG_FORMAT": "json"}
	for range 2 { // the first start creates the directory
		p := startAs(t, &stranger, dir, env, "serve")
		p.logged(t, "serving", "address")
		if info, err := os.Lstat(dir + "/ace.sock"); err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("the socket is %v, %v", info, err)
		}
		if code, _ := p.terminate(t, 10*time.Second); code != 0 {
			t.Errorf("it ended with %d:\n%s", code, p.output)
		}
	}
	code, text := run(t, dir, settings{"ACE_STORE": "file://" + dir + "/ace-data"}, "doctor")
	if want := fmt.Sprintf("%s/ace-data (owner ", dir); code != exitConfig || !strings.Contains(text, want) || !strings.Contains(text, "run the service as the owner") {
		t.Errorf("root's doctor ends with %d:\n%s", code, text)
	}

	// The service may pass through the parent directory, but not read it.
	passable := dirOf(t, 0)
	own := filepath.Join(passable, "data")
	try(t, os.Chmod(passable, 0o711), os.Mkdir(own, 0o700), os.Chown(own, int(stranger.Uid), int(stranger.Gid)))
	below := startAs(t, &stranger, dir, settings{"ACE_LISTEN": "127.0.0.1:0", "ACE_LOG_FORMAT": "json", "ACE_STORE": "file://" + own}, "serve")
	below.logged(t, "serving", "address")
	below.terminate(t, 10*time.Second)

	ours := filepath.Join(dirOf(t, 0), "data")
	try(t, os.Mkdir(ours, 0o777), os.Chmod(ours, 0o777))
	p := startAs(t, &stranger, dir, settings{"ACE_LISTEN": "127.0.0.1:0", "ACE_STORE": "file://" + ours}, "serve")
	if code := p.wait(t, startTimeout); code != exitConfig || !strings.Contains(p.output.String(), ours+" (owner root (0), mode 0777) does not belong") {
		t.Errorf("on a directory of root's it ends with %d:\n%s", code, p.output)
	}
}

func TestServe_RefusesASocketThatOthersCouldReplace(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(dir, socket string) error{
		"others may write the directory":  func(dir, _ string) error { return os.Chmod(dir, 0o777) },
		"a group may write the directory": func(dir, _ string) error { return os.Chmod(dir, 0o770) },
		"the directory is another user's": func(dir, _ string) error { return os.Chown(dir, 65534, 65534) },
		"a link is in its place":          func(dir, socket string) error { return os.Symlink(dir+"/other", socket) },
		"a socket of another user is in its place": func(dir, socket string) error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			try(t, err, syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket}), syscall.Close(fd), os.Chmod(dir, 0o777|os.ModeSticky))
			return os.Chown(socket, 65534, 65534)
		},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		socket := filepath.Join(dir, "ace.sock")
		try(t, os.Mkdir(dir, 0o700), prepare(dir, socket))
		got := refused(t, t.TempDir(), settings{"ACE_LISTEN": "unix://" + socket}, exitConfig)
		if !strings.HasPrefix(got, "ace: ACE_LISTEN is unix://"+socket+", which cannot be used: "+dir) || !strings.Contains(got, "(owner ") {
			t.Errorf("%s: it says %s", name, got)
		}
	}
}

func TestServe_RefusesInstructionsThatEverybodyMayWrite(t *testing.T) {
	t.Parallel()
	h := home{dir: t.TempDir()}
	try(t, os.Mkdir(h.clusters(), 0o700))
	h.define(t, "lonely.json", lonely)
	path := filepath.Join(h.clusters(), "lonely.json")
	for mode, want := range map[os.FileMode]string{
		0o666: "(owner root (0), mode 0666) can be written by other users", 0o644: "  warning  clusters/lonely.json (owner root (0), mode 0644): it has passwords",
		0o660: "its group can change it", 0o600: "  ok       the definition: nodes ",
	} {
		try(t, os.Chmod(path, mode))
		if _, text := run(t, h.dir, nil, "doctor"); !strings.Contains(text, want) || mode == 0o600 && strings.Contains(text, "  warning  ") {
			t.Errorf("%o: doctor says\n%s\nwant %q", mode, text, want)
		}
	}
	token, schedules := filepath.Join(h.dir, "token"), filepath.Join(h.dir, "schedules.yaml")
	try(t, os.WriteFile(token, []byte("0123456789abcdef"), 0o600), os.Chmod(token, 0o644), os.WriteFile(schedules, nil, 0o600), os.Chmod(schedules, 0o666))
	for variable, path := range map[string]string{"ACE_TOKEN_FILE": token, "ACE_SCHEDULES": schedules} {
		code, text := run(t, h.dir, settings{"ACE_LISTEN": "127.0.0.1:0", variable: path}, "serve")
		if code != exitConfig || !strings.Contains(text, variable+" is refused: "+path+" (owner ") || !strings.Contains(text, "run: chmod ") {
			t.Errorf("%s: exit code %d:\n%s", variable, code, text)
		}
	}
}

// Case O-P14, see docs/RELIABILITY.md.
func TestServe_PassesOverAHomeThatItCannotRead(t *testing.T) {
	t.Parallel()
	dir, home := t.TempDir(), t.TempDir() // t.TempDir is below directories that every user may enter
	try(t, os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(home, 0o700), os.Mkdir(dir+"/clusters", 0o755), os.Mkdir(dir+"/data", 0o700))
	definition := "[demo.n1]\nhost=127.0.0.1\nport=1\ndbname=d\nuser=u\n[demo.n2]\nhost=127.0.0.2\nport=1\ndbname=d\nuser=u\n"
	try(t, os.WriteFile(dir+"/clusters/pg_service.conf", []byte(definition), 0o644), os.Chown(dir+"/data", 65534, 65534))
	env := settings{"ACE_STORE": "file://" + dir + "/data", "ACE_CLUSTERS": dir + "/clusters", "HOME": home}

	code, text := func() (int, string) {
		p := startAs(t, &stranger, dir, env, "doctor")
		return p.wait(t, startTimeout), p.output.String()
	}()
	if code != 1 || strings.Contains(text, "cannot be read") || strings.Contains(text, "permission denied") || !strings.Contains(text, "connection refused") {
		t.Errorf("exit code %d, want only that the nodes are unreachable:\n%s", code, text)
	}
}
