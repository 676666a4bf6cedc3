// Package redact replaces the values of chosen columns by keyed hashes. A hash shows
// whether two nodes have the same value in a row, and nothing else about the value.
//
// The key of the hashes is random and is drawn for each task. It is stored only in the
// task's plan, which is deleted after the task has ended. A value with few possibilities
// (such as a date of birth) therefore cannot be found by hashing every possibility: that
// would need the key. The hash also covers the name of the column and the key of the row.
// So equal values of two rows have different hashes, and counting the hashes does not
// reveal which values are frequent.
package redact

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"slices"
)

const (
	// Prefix is the beginning of each text that replaces a value.
	Prefix = "redacted:"

	// hashBytes is the length of the truncated hash. If two nodes have different values in a
	// column of a row, the hashes are equal with a probability of one in 2^64. That affects
	// only how the row is shown: rows are compared before their values are replaced.
	hashBytes = 8
	// keyBytes is the length of the key of the hashes.
	keyBytes = 32
)

// Redaction has the names of the redacted columns of a table, and the key of the hashes.
// The zero Redaction redacts nothing.
type Redaction struct {
	Columns []string `json:"columns,omitempty"`
	Key     []byte   `json:"key,omitempty"` // the key of the hashes; empty if Columns is empty
}

// New returns a Redaction of these columns with a new key.
func New(columns []string) Redaction {
	if len(columns) == 0 {
		return Redaction{}
	}
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	return Redaction{Columns: columns, Key: key}
}

// Has reports whether the column is redacted.
func (r Redaction) Has(column string) bool { return slices.Contains(r.Columns, column) }

// Active reports whether any column is redacted.
func (r Redaction) Active() bool { return len(r.Columns) > 0 }

// Hasher replaces the values of rows. It must not be used by two goroutines at once.
type Hasher struct {
	names   []string
	places  []int // indexes of the redacted columns in names
	mac     hash.Hash
	sum     []byte
	scratch []byte
}

// Hasher returns a Hasher for rows whose columns have these names. It returns nil if no
// column of the rows is redacted.
func (r Redaction) Hasher(names []string) *Hasher {
	h := &Hasher{names: names}
	for i, name := range names {
		if r.Has(name) {
			h.places = append(h.places, i)
		}
	}
	if len(h.places) == 0 {
		return nil
	}
	h.mac = hmac.New(sha256.New, r.Key)
	return h
}

// Row returns a copy of the row with this key, in which a hash replaces the value of each
// redacted column. NULL (nil) stays NULL. row is not changed. It may have fewer values
// than the Hasher has column names; then the last columns are missing. A nil Hasher
// returns row itself.
func (h *Hasher) Row(key []string, row []*string) []*string {
	if h == nil || row == nil {
		return row
	}
	out := slices.Clone(row)
	for _, at := range h.places {
		if at < len(out) && out[at] != nil {
			text := h.hash(h.names[at], key, *out[at])
			out[at] = &text
		}
	}
	return out
}

// Values is like Row, but for the values of only some columns of a row. columns[i] is the
// index of the column of values[i] in the column names of the Hasher.
func (h *Hasher) Values(key []string, columns []int, values []*string) []*string {
	if h == nil || values == nil {
		return values
	}
	out := slices.Clone(values)
	for i, at := range columns {
		if out[i] != nil && slices.Contains(h.places, at) {
			text := h.hash(h.names[at], key, *out[i])
			out[i] = &text
		}
	}
	return out
}

// hash returns the text that replaces a value: Prefix and the hash in hexadecimal. In the
// text that is hashed, the length of each part precedes the part. So different columns,
// keys and values never result in the same text.
func (h *Hasher) hash(column string, key []string, value string) string {
	h.mac.Reset()
	h.part(column)
	h.scratch = binary.BigEndian.AppendUint64(h.scratch[:0], uint64(len(key)))
	h.mac.Write(h.scratch)
	for _, text := range key {
		h.part(text)
	}
	h.part(value)

	h.sum = h.mac.Sum(h.sum[:0])
	return Prefix + hex.EncodeToString(h.sum[:hashBytes])
}

func (h *Hasher) part(text string) {
	h.scratch = binary.BigEndian.AppendUint64(h.scratch[:0], uint64(len(text)))
	h.mac.Write(h.scratch)
	_, _ = io.WriteString(h.mac, text) // never fails, see hash.Hash
}
