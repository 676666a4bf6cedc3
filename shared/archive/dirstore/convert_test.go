package dirstore_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/archive/dirstore"
)

// gatewayObjects are the objects of testdata/gateway-data.tar.gz, which the last version
// with a gateway has written: with `ace serve`, by its API, and through S3. It was killed
// during an upload.
var gatewayObjects = map[string]int64{
	"baselines/Demo/.shop/public.t/td_1.json.gz":                                    2,
	"diffs/2026-11-30/td_20261130_051244.json":                                      2426,
	"imports/0a45c6802ad9709ebcd6a95e3dcf01aef74aa7a3a6ca8eb8adca4097892b041d.json": 2426,
	"incoming/IFCVXERAFOSJYE4PHDST2KIRVB":                                           1630,
	"index/_tasks/8203939506634-td_20261130_174133":                                 127,
	"index/_tasks/8203984432879-td_20261130_051244":                                 0,
	"index/diffs/Demo/public.Gr%C3%B6%C3%9Fe%2FA/82039/84432879-td_20261130_051244": 2,
	"locks/ABCdef":                       15,
	"open/td_20261130_051299":            0,
	"tasks/td_20261130_174133/task.json": 887,
}

// gatewayData unpacks the directory of an earlier version. If attributes is set, the
// files have the extended attributes that the gateway wrote.
func gatewayData(t *testing.T, dir string, attributes bool) {
	t.Helper()
	file, err := os.Open("testdata/gateway-data.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for in := tar.NewReader(unzipped); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		unpack(t, filepath.Join(dir, header.Name), header, in)
	}

	var recorded map[string]map[string]string
	text, err := os.ReadFile("testdata/gateway-attributes.json")
	if err == nil {
		err = json.Unmarshal(text, &recorded)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range recorded {
		for attribute, value := range values {
			if err := syscall.Setxattr(filepath.Join(dir, name), attribute, []byte(value), 0); attributes && err != nil {
				t.Fatalf("the file system of the temporary files has no extended attributes: %v", err)
			}
		}
		if !attributes {
			break
		}
	}
}

func unpack(t *testing.T, path string, header *tar.Header, in io.Reader) {
	t.Helper()
	var err error
	if header.Typeflag == tar.TypeDir {
		err = os.MkdirAll(path, 0o700)
	} else {
		var content []byte
		if content, err = io.ReadAll(in); err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
	}
	if err == nil {
		err = os.Chtimes(path, header.ModTime, header.ModTime)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkConverted checks that a directory has all objects of the earlier version, and
// nothing else.
func checkConverted(t *testing.T, dir string) *dirstore.Store {
	t.Helper()
	s := openStore(t, dir)
	keys := map[string]int64{}
	err := s.List(t.Context(), "", "", func(info archive.Info) bool {
		content, err := get(t, s, info.Key) // it is verified
		if err != nil {
			t.Error(err)
		}
		keys[info.Key] = int64(len(content))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, size := range gatewayObjects {
		if got, found := keys[key]; !found || got != size {
			t.Errorf("%s has %d bytes (found: %v), want %d", key, got, found, size)
		}
	}
	if len(keys) != len(gatewayObjects) {
		t.Errorf("there are %d objects, want %d: %v", len(keys), len(gatewayObjects), keys)
	}
	for _, left := range []string{"objects", "credentials.json"} {
		if _, err := os.Lstat(filepath.Join(dir, left)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s remains, %v", left, err)
		}
	}
	return s
}

func TestOpen_ConvertsTheDirectoryOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t), "data")
	gatewayData(t, dir, false)
	var log strings.Builder
	s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "the archive was converted") || !strings.Contains(log.String(), "objects=10") {
		t.Errorf("the log is:\n%s", &log)
	}

	s = checkConverted(t, dir)
	info, err := s.Stat(t.Context(), "diffs/2026-11-30/td_20261130_051244.json")
	if err != nil || info.ContentType != documentType || info.LastModified.Year() != 2026 {
		t.Errorf("the document is %+v, %v", info, err)
	}
	original, err := os.ReadFile("../../../testdata/diffs/differ.json")
	if err != nil {
		t.Fatal(err)
	}
	if content, err := get(t, s, info.Key); content != string(original) || err != nil {
		t.Errorf("the document has other content, %v", err)
	}
	// A lease is replaced by compare-and-swap, as before.
	if err := perform(t.Context(), s, step{"tasks/td_20261130_174133/task.json", "{}"}); err != nil {
		t.Error(err)
	}
}

func TestOpen_ConvertsTheContentTypeInAnExtendedAttribute(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data") // a file system in memory may have no attributes
	gatewayData(t, dir, true)
	s := checkConverted(t, dir)
	for key, want := range map[string]string{
		"baselines/Demo/.shop/public.t/td_1.json.gz": "application/gzip", "open/td_20261130_051299": "text/plain",
		"incoming/IFCVXERAFOSJYE4PHDST2KIRVB": "binary/octet-stream", "locks/ABCdef": documentType,
	} {
		if info, err := s.Stat(t.Context(), key); err != nil || info.ContentType != want {
			t.Errorf("%s is %+v, %v; want type %s", key, info, err, want)
		}
	}
}

func TestOpen_ResumesAConversionThatWasKilled(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"stage", "replace sum", "convert sync", "convert move", "convert rest"} {
		for _, nth := range []int{1, 2, 5, 10} {
			dir := filepath.Join(tempDir(t), "data")
			gatewayData(t, dir, false)
			_, killed := crash(t, dir, point, nth, crashSteps+"=none")
			if !killed && nth == 1 {
				t.Errorf("%s was not reached: the test is void", point)
			}
			if point == "convert move" && nth == 5 { // killed twice
				if _, killed := crash(t, dir, point, nth-2, crashSteps+"=none"); !killed {
					t.Error("the second process was not killed")
				}
			}
			checkConverted(t, dir)
		}
	}
}

// An older version that is used again writes to its own place. The next conversion adds
// this, and the later version of an object is valid.
func TestOpen_ConvertsAgainAfterAnOlderVersionWasUsed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t), "data")
	gatewayData(t, dir, false)
	s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "locks/ABCdef", "of the newer version")
	put(t, s, "open/new", "1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	bucket := filepath.Join(dir, "objects", "ace")
	later := time.Now().Add(time.Hour)
	err = errors.Join(
		os.MkdirAll(filepath.Join(bucket, "locks"), 0o700), os.MkdirAll(filepath.Join(bucket, "open"), 0o700),
		os.WriteFile(filepath.Join(bucket, "locks/ABCdef"), []byte("later"), 0o600), os.Chtimes(filepath.Join(bucket, "locks/ABCdef"), later, later),
		os.WriteFile(filepath.Join(bucket, "open/new"), []byte("earlier"), 0o600), os.Chtimes(filepath.Join(bucket, "open/new"), time.Unix(1, 0), time.Unix(1, 0)),
		os.WriteFile(filepath.Join(bucket, "open/added"), []byte("added"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	for key, want := range map[string]string{"locks/ABCdef": "later", "open/new": "1", "open/added": "added"} {
		if content, err := get(t, s, key); content != want || err != nil {
			t.Errorf("%s is %q, %v; want %q", key, content, err, want)
		}
	}
}
