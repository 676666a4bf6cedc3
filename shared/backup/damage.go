package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// damage collects the objects whose content does not have their SHA-256. It takes the
// same memory however many there are.
type damage struct {
	count int64
	first []string // the paths of the first ones, up to maxDamaged
	paths hash.Hash
}

func (d *damage) add(path string) {
	if d.paths == nil {
		d.paths = sha256.New()
	}
	d.count++
	if len(d.first) < maxDamaged {
		d.first = append(d.first, path)
	}
	_, _ = io.WriteString(d.paths, path+"\n") // a hash accepts everything
}

// hash returns the SHA-256 of all paths, each with a newline, or "" if first has them
// all.
func (d *damage) hash() string {
	if d.count <= maxDamaged {
		return ""
	}
	return hex.EncodeToString(d.paths.Sum(nil))
}
