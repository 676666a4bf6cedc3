// Command package creates the archives that Lambda accepts. `package BIN DIR` writes
// DIR/<name>.zip for every binary BIN/<name>. The archive contains the binary as the file
// bootstrap. The same binaries produce the same bytes.
package main

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: package BIN DIR")
		os.Exit(2)
	}
	if err := packAll(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// maxSize is the maximum size of an archive in bytes. Lambda accepts larger ones, but a
// function with a large archive starts slowly.
const maxSize = 15e6

// packAll packs every binary of a directory and prints the archives with their sizes.
func packAll(bin, dir string, out io.Writer) error {
	binaries, err := os.ReadDir(bin)
	if err != nil {
		return err
	}
	for _, binary := range binaries {
		path := filepath.Join(dir, binary.Name()+".zip")
		size, err := packFile(filepath.Join(bin, binary.Name()), path)
		if err != nil {
			return err
		}
		if size > maxSize {
			return fmt.Errorf("%s has %d bytes, allowed are %d: a function that links so much starts slowly", path, size, int64(maxSize))
		}
		fmt.Fprintf(out, "%-40s %5.1f MB\n", path, float64(size)/1e6)
	}
	return nil
}

func packFile(binary, path string) (size int64, err error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return 0, err
	}
	archive, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer archive.Close()
	if err := pack(archive, content); err != nil {
		return 0, err
	}
	info, err := archive.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), archive.Close()
}

// pack writes an archive with one executable file. The file has a fixed modification
// time, so that the same binary produces the same archive.
func pack(w io.Writer, bootstrap []byte) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	file, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := file.Write(bootstrap); err != nil {
		return err
	}
	return z.Close()
}
