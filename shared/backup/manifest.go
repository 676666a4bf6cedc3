package backup

import (
	"encoding/hex"
	"io"
	"path"
	"strings"
	"time"
)

const (
	// Format is the format of a backup. A change of the layout needs a new number.
	Format = "ace-backup/1"
	// ManifestFile is the name of the last entry.
	ManifestFile = "backup.json"

	filesDir = "files/"
	sumsDir  = "sums/"

	// maxDamaged is the maximum number of damaged objects that a manifest names.
	maxDamaged = 1000
	// maxSum is the maximum size of a sum in bytes.
	maxSum = 1 << 16
	// maxManifest is the maximum size of a manifest in bytes.
	maxManifest = 8 << 20
)

// Manifest describes a complete backup. It is its last entry.
type Manifest struct {
	Format  string    `json:"format"`   // ace-backup/1
	TakenAt time.Time `json:"taken_at"` // the time of the state that the backup has
	Version string    `json:"version"`  // the version of ACE that has written the backup
	Objects int64     `json:"objects"`
	Bytes   int64     `json:"bytes"` // the sizes of all objects
	// SumsSHA256 is the SHA-256 of the texts of all sums, in the order of the backup.
	SumsSHA256 string `json:"sums_sha256"`
	// Damaged has the paths of the objects that were damaged in the archive when the backup
	// was made: their content does not have their SHA-256. It has the first 1000.
	Damaged []string `json:"damaged,omitempty"`
	// DamagedObjects is the number of all damaged objects, and DamagedSHA256 the SHA-256 of
	// all their paths, each with a newline. They are absent if Damaged is complete.
	DamagedObjects int64  `json:"damaged_objects,omitempty"`
	DamagedSHA256  string `json:"damaged_sha256,omitempty"`
}

// DamagedCount returns the number of objects that were damaged in the archive.
func (m Manifest) DamagedCount() int64 { return max(m.DamagedObjects, int64(len(m.Damaged))) }

// Object is an object of a backup.
type Object struct {
	Path    string // the path below files/ and sums/
	Sum     []byte // the content of the file below sums/; nil if the archive has none
	Size    int64
	ModTime time.Time
	Content io.Reader // has Size bytes
}

// Owner is the user who owns the files of the archive.
type Owner struct {
	UID, GID int
	Name     string // "" if the user has no name
}

// hashOf returns the SHA-256 in the text of a sum, which is input of sha256sum, or "" if
// it has none for the object at name.
func hashOf(sum []byte, name string) string {
	for line := range strings.Lines(string(sum)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		hash, file, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if _, err := hex.DecodeString(hash); err == nil && len(hash) == 64 && file == filesDir+name {
			return hash
		}
		return ""
	}
	return ""
}

// IsPath reports whether name is a path that the archive may have below files/. Such a
// path does not lead out of a directory.
func IsPath(name string) bool {
	if name == "" || path.Clean(name) != name {
		return false
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment[0] == '.' || strings.Trim(segment, "abcdefghijklmnopqrstuvwxyz0123456789%._-+=,@~") != "" {
			return false
		}
	}
	return true
}
