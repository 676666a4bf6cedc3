package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"time"
)

// Writer writes a backup.
type Writer struct {
	tar      *tar.Writer
	owner    Owner
	manifest Manifest
	begun    bool
	sums     hash.Hash
	damage   damage
	buffer   []byte
}

// NewWriter returns a Writer that writes to w. takenAt and version are those of the
// manifest.
func NewWriter(w io.Writer, owner Owner, takenAt time.Time, version string) *Writer {
	return &Writer{
		tar: tar.NewWriter(w), owner: owner, sums: sha256.New(), buffer: make([]byte, 256<<10),
		manifest: Manifest{Format: Format, TakenAt: takenAt.UTC(), Version: version},
	}
}

// Add writes an object. If the content does not have the SHA-256 of the sum, the manifest
// names the object.
func (w *Writer) Add(o Object) error {
	if err := w.begin(); err != nil {
		return err
	}
	if len(o.Sum) > maxSum {
		o.Sum = nil // the archive writes no such sum, so it is damaged
	}
	if o.Sum != nil {
		if err := w.entry(sumsDir+o.Path, int64(len(o.Sum)), o.ModTime); err != nil {
			return err
		}
		if _, err := w.tar.Write(o.Sum); err != nil {
			return err
		}
		w.sums.Write(o.Sum)
	}
	if err := w.entry(filesDir+o.Path, o.Size, o.ModTime); err != nil {
		return err
	}
	content := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(w.tar, content), io.LimitReader(o.Content, o.Size), w.buffer); err != nil {
		return err
	}

	w.manifest.Objects++
	w.manifest.Bytes += o.Size
	if hex.EncodeToString(content.Sum(nil)) != hashOf(o.Sum, o.Path) {
		w.damage.add(o.Path)
	}
	return nil
}

// begin writes the two directories, which the archive wants to be inaccessible to others,
// before the first entry.
func (w *Writer) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	for _, name := range []string{filesDir, sumsDir} {
		err := w.tar.WriteHeader(&tar.Header{
			Typeflag: tar.TypeDir, Name: name, Mode: 0o700, ModTime: w.manifest.TakenAt.Truncate(time.Second),
			Uid: w.owner.UID, Gid: w.owner.GID, Uname: w.owner.Name,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// entry begins an entry. Its time is in seconds, because a finer one would need a header
// that is three times as long.
func (w *Writer) entry(name string, size int64, modTime time.Time) error {
	return w.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: modTime.Truncate(time.Second),
		Uid: w.owner.UID, Gid: w.owner.GID, Uname: w.owner.Name,
	})
}

// Close writes the manifest, which makes the backup complete, and returns it. It must not
// be called after an error.
func (w *Writer) Close() (Manifest, error) {
	if err := w.begin(); err != nil {
		return Manifest{}, err
	}
	w.manifest.SumsSHA256 = hex.EncodeToString(w.sums.Sum(nil))
	if w.manifest.Damaged, w.manifest.DamagedSHA256 = w.damage.first, w.damage.hash(); w.manifest.DamagedSHA256 != "" {
		w.manifest.DamagedObjects = w.damage.count
	}
	text, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return Manifest{}, err
	}
	text = append(text, '\n')
	if err := w.entry(ManifestFile, int64(len(text)), w.manifest.TakenAt); err != nil {
		return Manifest{}, err
	}
	if _, err := w.tar.Write(text); err != nil {
		return Manifest{}, err
	}
	return w.manifest, w.tar.Close()
}
