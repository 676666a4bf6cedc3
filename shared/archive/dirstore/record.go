package dirstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
)

// record is a change in the journal. In the file, the JSON of the record is followed by a
// line feed and the content.
type record struct {
	Key    string `json:"key"`
	Delete bool   `json:"delete,omitempty"`

	// The members of a write.
	Hash string `json:"sha256,omitempty"`
	Type string `json:"type,omitempty"`
	Size int64  `json:"size,omitempty"`
	Time int64  `json:"time,omitempty"` // the time of the modification, in nanoseconds since 1970
	// Staged is the name of the file in tmp/ that has the content and was synced before the
	// record was written. It is empty if the content is in the record.
	Staged string `json:"staged,omitempty"`

	content []byte
}

// sum returns the sum of the object that a write stores.
func (r record) sum() sum { return sum{hash: r.Hash, contentType: r.Type} }

// headerSize is the size of the header of a record: its magic number, the length and the
// CRC-32C of what follows.
const headerSize = 12

// maxRecord bounds the length of a record that is read, to detect a damaged length.
const maxRecord = inlineLimit + 64<<10

// recordMagic is "ACE1". The last byte is the version of the format.
const recordMagic = 0x41434531

// errVersion is the error for a record of another version of the format.
var errVersion = errors.New("another version of ACE has written its journal: start and end that version once")

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a constant table

// encode returns the bytes of the record in the journal.
func (r record) encode() ([]byte, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	out := make([]byte, headerSize, headerSize+len(line)+1+len(r.content))
	out = append(out, line...)
	out = append(out, '\n')
	out = append(out, r.content...)
	binary.BigEndian.PutUint32(out, recordMagic)
	binary.BigEndian.PutUint32(out[4:], uint32(len(out)-headerSize))
	binary.BigEndian.PutUint32(out[8:], crc32.Checksum(out[headerSize:], castagnoli))
	return out, nil
}

// readRecord reads the next record. It returns false if what follows is not a complete
// and undamaged record. The error is errVersion or an error of in itself.
func readRecord(in io.Reader) (r record, size int64, ok bool, err error) {
	var header [headerSize]byte
	if err := readFull(in, header[:]); err != nil {
		return record{}, 0, false, ignoreEnd(err)
	}
	length := binary.BigEndian.Uint32(header[4:])
	magic := binary.BigEndian.Uint32(header[:])
	if version := magic & 0xff; magic>>8 == recordMagic>>8 && version != recordMagic&0xff && version != 0 { // 0 may be lost
		return record{}, 0, false, errVersion
	}
	if magic != recordMagic || length > maxRecord {
		return record{}, 0, false, nil
	}
	payload := make([]byte, length)
	if err := readFull(in, payload); err != nil {
		return record{}, 0, false, ignoreEnd(err)
	}
	if crc32.Checksum(payload, castagnoli) != binary.BigEndian.Uint32(header[8:]) {
		return record{}, 0, false, nil
	}
	line, content, found := bytes.Cut(payload, []byte("\n"))
	if err := json.Unmarshal(line, &r); err != nil || !found {
		return record{}, 0, false, nil //nolint:nilerr // it is damaged, and the reader is not
	}
	r.content = content
	return r, headerSize + int64(length), true, nil
}

func readFull(in io.Reader, p []byte) error {
	_, err := io.ReadFull(in, p)
	return err
}

func ignoreEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // io.ReadFull returns them unwrapped
		return nil
	}
	return err
}
