package main

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPackAll_WritesTheSameBytesWhateverTheTimeOfTheBinary(t *testing.T) {
	bin := t.TempDir()
	var archives [2][]byte
	for i := range archives {
		if err := os.WriteFile(filepath.Join(bin, "tablediff"), []byte("a binary"), 0o600); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := os.Chmod(filepath.Join(bin, "tablediff"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		dir := t.TempDir()
		if err := packAll(bin, dir, io.Discard); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, "tablediff.zip"))
		if err != nil {
			t.Fatal(err)
		}
		archives[i] = content
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the archives differ")
	}
	z, err := zip.NewReader(bytes.NewReader(archives[0]), int64(len(archives[0])))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode() != 0o755 {
		t.Fatalf("the archive holds %+v", z.File)
	}
	file, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if content, err := io.ReadAll(file); err != nil || string(content) != "a binary" {
		t.Errorf("bootstrap is %q, %v", content, err)
	}
}

func TestPackAll_RefusesAnArchiveThatIsTooLarge(t *testing.T) {
	bin := t.TempDir()
	noise := make([]byte, maxSize+1)
	_, _ = rand.Read(noise) // never fails
	if err := os.WriteFile(filepath.Join(bin, "blockworker"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := packAll(bin, t.TempDir(), io.Discard); err == nil || !strings.Contains(err.Error(), "blockworker.zip") {
		t.Errorf("got %v", err)
	}
}

func TestPackAll_SaysWhatItCannotRead(t *testing.T) {
	if err := packAll(filepath.Join(t.TempDir(), "missing"), t.TempDir(), io.Discard); err == nil {
		t.Error("a missing directory is no error")
	}
}
