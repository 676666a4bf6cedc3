// Package part reads and writes parts: the result of one unit of work as one object of the archive, written once.
//
// A part is a sequence of JSON lines: a header that says which plan and unit it answers, any number of rows, and a seal
// with the unit's totals, the number of rows and the SHA-256 of every byte before it. A part without its seal, or with
// one that does not fit, is never taken for a whole one. Memory does not depend on the number of rows.
package part

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"

	"ace/shared/archive"
	"ace/shared/fault"
)

const contentType = "application/x-ndjson"

// tailSize bounds the seal, which is read without the rows before it.
const tailSize = 64 << 10

// Header says what a part is the result of.
type Header struct {
	TaskID   string `json:"task_id"`
	PlanHash string `json:"plan_hash"`
	Unit     string `json:"unit"`
}

type seal struct {
	Totals json.RawMessage `json:"totals"`
	Rows   int64           `json:"rows"`
	SHA256 string          `json:"sha256"`
}

// Writer writes one part. Exactly one of Seal and Abort must be called.
type Writer struct {
	object archive.Writer
	buffer *bufio.Writer
	digest hash.Hash
	rows   int64
}

// Create starts a part.
func Create(ctx context.Context, store archive.Store, key string, header Header) (*Writer, error) {
	object, err := store.Create(ctx, key, contentType)
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	w := &Writer{object: object, digest: digest, buffer: bufio.NewWriterSize(io.MultiWriter(object, digest), 64<<10)}
	if err := w.line(header); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// Row adds a row.
func (w *Writer) Row(row any) error {
	w.rows++
	return w.line(row)
}

func (w *Writer) line(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "a row of a part cannot be written")
	}
	if _, err = w.buffer.Write(append(text, '\n')); err != nil {
		return err
	}
	return nil
}

// Seal writes the totals and makes the part visible. archive.ErrPrecondition means that the part is there already,
// written by somebody who did the same unit: that one counts.
func (w *Writer) Seal(ctx context.Context, totals any) error {
	raw, err := json.Marshal(totals)
	if err == nil {
		err = w.buffer.Flush()
	}
	if err == nil {
		err = w.line(seal{Totals: raw, Rows: w.rows, SHA256: hex.EncodeToString(w.digest.Sum(nil))})
	}
	if err == nil {
		err = w.buffer.Flush()
	}
	if err != nil {
		w.object.Abort()
		return err
	}
	_, err = w.object.Commit(ctx)
	return err
}

// Abort gives the part up.
func (w *Writer) Abort() { w.object.Abort() }

// Reader reads one part from its beginning.
type Reader struct {
	key    string
	object archive.Object
	buffer *bufio.Reader
	digest hash.Hash
	rows   int64
	next   []byte // the line after the last one given: the seal is recognised by being the last
	totals json.RawMessage
}

// Open opens a part and checks that it answers this header.
func Open(ctx context.Context, store archive.Store, key string, want Header) (*Reader, error) {
	object, err := store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	r := &Reader{key: key, object: object, buffer: bufio.NewReaderSize(object.Body, 64<<10), digest: sha256.New()}
	line, err := r.readLine()
	if err != nil {
		r.Close()
		return nil, r.damaged(err)
	}
	if err := checkHeader(key, line, want); err != nil {
		r.Close()
		return nil, err
	}
	r.digest.Write(line)
	if r.next, err = r.readLine(); err != nil {
		r.Close()
		return nil, r.damaged(err)
	}
	return r, nil
}

func checkHeader(key string, line []byte, want Header) error {
	var got Header
	if err := json.Unmarshal(line, &got); err != nil {
		return fault.Wrap(err, fault.Internal, "part %s is damaged: its header is not JSON", key)
	}
	if got != want {
		return fault.New(fault.Internal, "part %s belongs to unit %s of task %s and another plan", key, got.Unit, got.TaskID)
	}
	return nil
}

// Next decodes the next row; false means that all rows were read and the seal fits them.
func (r *Reader) Next(row any) (bool, error) {
	if r.next == nil {
		return false, nil
	}
	line := r.next
	following, err := r.readLine()
	if errors.Is(err, io.EOF) {
		r.next = nil
		return false, r.checkSeal(line)
	}
	if err != nil {
		return false, r.damaged(err)
	}
	r.next = following
	r.digest.Write(line)
	r.rows++
	if err := json.Unmarshal(line, row); err != nil {
		return false, r.damaged(err)
	}
	return true, nil
}

func (r *Reader) checkSeal(line []byte) error {
	s, err := readSeal(line)
	switch {
	case err != nil:
		return r.damaged(err)
	case s.Rows != r.rows || s.SHA256 != hex.EncodeToString(r.digest.Sum(nil)):
		return r.damaged(errors.New("its seal does not fit its rows"))
	}
	r.totals = s.Totals
	return nil
}

// Totals decodes the totals. They are known once Next has said that there are no more rows.
func (r *Reader) Totals(totals any) error {
	if r.totals == nil {
		return fault.New(fault.Internal, "part %s was not read to its end", r.key)
	}
	return json.Unmarshal(r.totals, totals)
}

// Close ends the reading.
func (r *Reader) Close() { _ = r.object.Body.Close() }

func (r *Reader) readLine() ([]byte, error) {
	line, err := r.buffer.ReadBytes('\n')
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return line, err
}

func (r *Reader) damaged(err error) error {
	if code := fault.CodeOf(err); code != fault.Internal {
		return err // the store's own trouble
	}
	return fault.Wrap(err, fault.Internal, "part %s is damaged", r.key)
}

// ReadTotals decodes the totals of a part without reading its rows; their check is left to whoever reads them.
func ReadTotals(ctx context.Context, store archive.Store, key string, totals any) error {
	info, err := store.Stat(ctx, key)
	if err != nil {
		return err
	}
	object, err := store.GetRange(ctx, key, info.ETag, max(0, info.Size-tailSize), -1)
	if err != nil {
		return err
	}
	defer object.Body.Close()
	tail, err := io.ReadAll(object.Body)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "part %s cannot be read", key)
	}
	lines := bytes.Split(bytes.TrimSuffix(tail, []byte("\n")), []byte("\n"))
	s, err := readSeal(lines[len(lines)-1])
	if err != nil {
		return fault.Wrap(err, fault.Internal, "part %s is damaged: it has no seal", key)
	}
	return json.Unmarshal(s.Totals, totals)
}

func readSeal(line []byte) (seal, error) {
	var s seal
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&s)
	if err == nil && (s.SHA256 == "" || s.Totals == nil) {
		err = errors.New("the last line is not a seal")
	}
	return s, err
}
