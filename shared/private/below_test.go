package private_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ace/shared/fault"
	"ace/shared/private"
)

func TestBelow_OpensOnlyRegularFilesThatTheServiceMayTrust(t *testing.T) {
	dir, outside := closed(t), closed(t)
	write(t, filepath.Join(outside, "secret"), 0o600)
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	for name, mode := range map[string]os.FileMode{"good": 0o600, "sub/good": 0o664, "sub/... odd": 0o644} {
		write(t, filepath.Join(dir, name), mode)
	}
	must(t, os.Symlink("sub", filepath.Join(dir, "inner")))
	must(t, os.Symlink(outside, filepath.Join(dir, "outer")))
	must(t, os.Symlink("good", filepath.Join(dir, "link")))
	for _, name := range []string{"good", "sub/good", "sub/... odd", "./sub/../good", "sub//good", "inner/good"} {
		file, err := private.Below(dir, dir+"/"+name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text, err := io.ReadAll(file); err != nil || string(text) != "content" {
			t.Errorf("%s: read %q, %v", name, text, err)
		}
		file.Close()
	}
	for path, want := range map[string]string{
		filepath.Join(outside, "secret"): "is not below " + dir,
		dir:                              "is not below " + dir,
		dir + "/":                        "is not below " + dir,
		dir + "/../../../" + filepath.Base(filepath.Dir(filepath.Dir(outside))) + "/" + filepath.Base(filepath.Dir(outside)) + "/data/secret": "is not below " + dir,
		dir + "2/good":        "is not below " + dir,
		"good":                "is not below " + dir,
		"/":                   "is not below " + dir,
		dir + "/outer/secret": "path escapes from parent",
		dir + "/link":         "is a symbolic link but must be a regular file",
		dir + "/inner":        "is a symbolic link but must be a regular file",
		dir + "/sub":          "is a directory but must be a regular file",
		dir + "/missing":      "no such file or directory",
		dir + "/good/x":       "not a directory",
		dir + "/a\x00b":       "invalid argument",
	} {
		file, err := private.Below(dir, path)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), want) {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
		if err == nil {
			file.Close()
		}
	}
	if _, err := private.Below(dir+"2", dir+"2/good"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a directory that is missing: %v", err)
	}
}

func TestBelow_RefusesWhatOthersMayHavePlanted(t *testing.T) {
	for name, plant := range plants(t) {
		if name == "a file that others may read" || name == "a file that a group may read" {
			continue // Below accepts a file that others may read
		}
		dir := closed(t)
		path := filepath.Join(dir, "diff.json")
		plant(path)
		file, err := private.Below(dir, path)
		if text := fault.PublicMessage(err); fault.CodeOf(err) != fault.Invalid || !strings.Contains(text, path) || !strings.Contains(text, "owner ") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			file.Close()
		}
	}
}

func TestBelow_NeverReadsAFileThatReplacesTheOneItChecked(t *testing.T) {
	dir, outside := closed(t), closed(t)
	secret := filepath.Join(outside, "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	path := filepath.Join(dir, "diff.json")
	stop := make(chan struct{})
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Remove(path)
			switch i % 3 {
			case 0:
				_ = os.Symlink(secret, path)
			case 1:
				_ = syscall.Mkfifo(path, 0o600)
			default:
				_ = os.WriteFile(path, []byte("content"), 0o600)
			}
		}
	})
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); {
		file, err := private.Below(dir, path)
		if err != nil {
			continue
		}
		if text, err := io.ReadAll(file); err != nil || strings.Contains(string(text), "secret") {
			t.Errorf("read %q, %v", text, err)
		}
		file.Close()
	}
	close(stop)
	swaps.Wait()
}
