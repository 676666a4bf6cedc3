package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"slices"
	"strings"

	"ace/shared/fault"
)

// trailer is the size in bytes of the end of a tar file: two empty blocks.
const trailer = 1024

// Read reads and verifies a backup, and calls each for every object. If each does not
// read the whole content, Read does. A backup that is not complete or is damaged is an
// error (Invalid) that names the object, or the object before. The error may be returned
// after each was called for all objects, so only the result of Read proves that these
// were whole. An error of each is returned unchanged.
func Read(in io.Reader, each func(Object) error) (Manifest, error) {
	counted := &counter{in: in}
	r := &reader{tar: tar.NewReader(counted), counted: counted, sums: sha256.New(), each: each}
	for {
		header, err := r.tar.Next()
		if err != nil {
			return Manifest{}, r.broken(err)
		}
		if header.Typeflag == tar.TypeDir && (header.Name == filesDir || header.Name == sumsDir) {
			continue
		}
		if header.Typeflag != tar.TypeReg || hasHoles(header) {
			return Manifest{}, r.damaged("the entry %.300q is no file, or has holes", header.Name)
		}
		if header.Name == ManifestFile {
			return r.end(header)
		}
		if err := r.entry(header); err != nil {
			return Manifest{}, err
		}
	}
}

// hasHoles reports whether an entry has only a part of its content: the rest are zeros,
// with which a small file could fill a disk.
func hasHoles(header *tar.Header) bool {
	for name := range header.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// counter counts the bytes that were read.
type counter struct {
	in   io.Reader
	read int64
	err  error // an error of in other than its end
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// reader is a call of Read.
type reader struct {
	tar     *tar.Reader
	counted *counter
	sums    hash.Hash
	each    func(Object) error

	objects, bytes int64
	damage         damage
	last           string // the path of the object that was read last
	sum            []byte // the sum whose object is the next entry
	sumPath        string // its path, or ""
}

// entry reads the sum or the content of an object.
func (r *reader) entry(header *tar.Header) error {
	if name, isSum := strings.CutPrefix(header.Name, sumsDir); isSum && IsPath(name) {
		if r.sumPath != "" {
			return r.damaged("the content of %s is missing", r.sumPath)
		}
		if header.Size > maxSum {
			return r.damaged("the sum of %s has %d bytes", name, header.Size)
		}
		text, err := io.ReadAll(r.tar)
		if err != nil {
			return r.broken(err)
		}
		r.sums.Write(text)
		r.sum, r.sumPath = text, name
		return nil
	}
	name, isContent := strings.CutPrefix(header.Name, filesDir)
	if !isContent || !IsPath(name) {
		return r.damaged("the entry %.300q does not belong to a backup of ACE", header.Name)
	}
	return r.object(name, header)
}

func (r *reader) object(name string, header *tar.Header) error {
	if r.sumPath != "" && r.sumPath != name {
		return r.damaged("the content of %s is missing", r.sumPath)
	}
	sum := r.sum
	r.sum, r.sumPath, r.last = nil, "", name

	content := sha256.New()
	in := io.TeeReader(r.tar, content)
	if err := r.each(Object{Path: name, Sum: sum, Size: header.Size, ModTime: header.ModTime, Content: in}); err != nil {
		if r.counted.err != nil || errors.Is(err, io.ErrUnexpectedEOF) {
			return r.broken(err)
		}
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return r.broken(err)
	}

	r.objects++
	r.bytes += header.Size
	if hex.EncodeToString(content.Sum(nil)) != hashOf(sum, name) {
		r.damage.add(name)
	}
	return nil
}

// end reads the manifest and compares it with what was read.
func (r *reader) end(header *tar.Header) (Manifest, error) {
	var m Manifest
	if r.sumPath != "" {
		return m, r.damaged("the content of %s is missing", r.sumPath)
	}
	text, err := io.ReadAll(io.LimitReader(r.tar, maxManifest))
	if err != nil {
		return m, r.broken(err)
	}
	before := r.counted.read
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) || r.counted.read-before < trailer {
		return m, r.broken(err)
	}

	if err := json.Unmarshal(text, &m); err != nil || header.Size > maxManifest {
		return m, r.damaged("%s cannot be read", ManifestFile)
	}
	if m.Format != Format {
		return m, fault.New(fault.Invalid, "the backup has the format %.40q; this version of ACE reads %s", m.Format, Format)
	}
	for _, name := range r.damage.first {
		if !slices.Contains(m.Damaged, name) {
			return m, r.damaged("the object %s does not have its SHA-256", name)
		}
	}
	if m.Objects != r.objects || m.Bytes != r.bytes || m.SumsSHA256 != hex.EncodeToString(r.sums.Sum(nil)) || len(m.Damaged) != len(r.damage.first) {
		return m, r.damaged("it has %d objects of %d bytes, recorded are %d of %d, or their sums were changed", r.objects, r.bytes, m.Objects, m.Bytes)
	}
	if m.DamagedCount() != r.damage.count || m.DamagedSHA256 != r.damage.hash() {
		return m, r.damaged("%d objects do not have their SHA-256; recorded are %d, or other ones", r.damage.count, m.DamagedCount())
	}
	return m, nil
}

// broken returns the error of a tar file that ends early or is not one.
func (r *reader) broken(err error) error {
	switch {
	case r.counted.err != nil:
		return fault.Wrap(r.counted.err, fault.Unavailable, "the backup cannot be read%s: %v", r.after(), r.counted.err)
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Invalid, "the backup is not complete: it ends%s", r.after())
	}
	return fault.Wrap(err, fault.Invalid, "the backup is damaged%s: %v", r.after(), err)
}

// damaged returns the error of a backup with other content than was written.
func (r *reader) damaged(format string, args ...any) error {
	return fault.New(fault.Invalid, "the backup is damaged: "+format, args...)
}

// after returns where in the backup an error was found.
func (r *reader) after() string {
	if r.sumPath != "" {
		return " at the object " + r.sumPath
	}
	if r.last != "" {
		return " at or after the object " + r.last
	}
	return " at its beginning"
}
