// Package part reads and writes parts: the result of one unit of work as one object of the archive, written once.
//
// A part is a sequence of lines: a header that says which plan and unit it answers, any number of rows, and a footer
// (footer.go) with the unit's totals, the number of rows and the SHA-256 of every byte before it. A part without its
// footer, or with one that does not fit, is never taken for a whole one. Memory does not depend on the number of rows.
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

// Header says what a part is the result of.
type Header struct {
	TaskID   string `json:"task_id"`
	PlanHash string `json:"plan_hash"`
	Unit     string `json:"unit"`
}

// Writer writes one part. Commit or Abort must be called; Abort after Commit does nothing, so it may be deferred.
type Writer struct {
	header  Header
	object  archive.Writer
	buffer  *bufio.Writer
	encoder *json.Encoder // into buffer, so that a huge row is not copied once more
	digest  hash.Hash
	rows    int64
}

// Create starts a part.
func Create(ctx context.Context, store archive.Store, key string, header Header) (*Writer, error) {
	object, err := store.Create(ctx, key, contentType)
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	w := &Writer{header: header, object: object, digest: digest, buffer: bufio.NewWriterSize(io.MultiWriter(object, digest), 64<<10)}
	w.encoder = json.NewEncoder(w.buffer)
	if err := w.line(header); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// Row adds a row as JSON.
func (w *Writer) Row(row any) error {
	w.rows++
	return w.line(row)
}

// Line adds a row that the caller has written: one line of any text, without its end.
func (w *Writer) Line(line []byte) error {
	if bytes.IndexByte(line, '\n') >= 0 {
		return fault.New(fault.Internal, "a row of a part has more than one line")
	}
	w.rows++
	if _, err := w.buffer.Write(line); err != nil {
		return err
	}
	return w.buffer.WriteByte('\n')
}

// line writes one value; what the archive says of a write stays its own error.
func (w *Writer) line(value any) error {
	err := w.encoder.Encode(value)
	var unsupported *json.UnsupportedValueError
	if errors.As(err, &unsupported) {
		return fault.Wrap(err, fault.Internal, "a row of a part cannot be written")
	}
	return err
}

// Commit writes the totals and makes the part visible. archive.ErrPrecondition means that the part is there already,
// written by somebody who did the same unit: that one counts. A part that cannot be committed is given up.
func (w *Writer) Commit(ctx context.Context, totals any) error {
	if err := w.writeFooter(totals); err != nil {
		w.Abort()
		return err
	}
	_, err := w.object.Commit(ctx)
	return err
}

func (w *Writer) writeFooter(totals any) error {
	raw, err := json.Marshal(totals)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the totals of a part cannot be written")
	}
	if err := w.buffer.Flush(); err != nil { // the digest has seen every row now
		return err
	}
	s := footer{Header: w.header, Totals: raw, Rows: w.rows, SHA256: hex.EncodeToString(w.digest.Sum(nil))}
	s.Check = s.check()
	if err := w.line(s); err != nil {
		return err
	}
	return w.buffer.Flush()
}

// Rows is how many rows were written so far.
func (w *Writer) Rows() int64 { return w.rows }

// SHA256 is that of the whole object. It is known after Commit.
func (w *Writer) SHA256() string { return hex.EncodeToString(w.digest.Sum(nil)) }

// Abort gives the part up.
func (w *Writer) Abort() { w.object.Abort() }

// Reader reads one part from its beginning.
type Reader struct {
	key    string
	want   Header
	object archive.Object
	buffer *bufio.Reader
	digest hash.Hash
	rows   int64
	line   []byte // the latest line; its memory is used again for the next
	totals json.RawMessage
}

// Open opens a part and checks that it answers this header.
func Open(ctx context.Context, store archive.Store, key string, want Header) (*Reader, error) {
	object, err := store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	r := &Reader{key: key, want: want, object: object, buffer: bufio.NewReaderSize(object.Body, 64<<10), digest: sha256.New()}
	line, err := r.readLine()
	if err != nil {
		r.Close()
		return nil, r.damaged(err)
	}
	if err := checkHeaderLine(key, line, want); err != nil {
		r.Close()
		return nil, err
	}
	r.digest.Write(line)
	return r, nil
}

func checkHeaderLine(key string, line []byte, want Header) error {
	var got Header
	if err := json.Unmarshal(line, &got); err != nil {
		return fault.Wrap(err, fault.Internal, "part %s is damaged: its header is not JSON", key)
	}
	return checkHeader(key, got, want)
}

func checkHeader(key string, got, want Header) error {
	if got != want {
		return fault.New(fault.Internal, "part %s is of unit %q of task %q and plan %.12q instead of unit %q of task %q and plan %.12q",
			key, got.Unit, got.TaskID, got.PlanHash, want.Unit, want.TaskID, want.PlanHash)
	}
	return nil
}

// Next decodes the next row; false means that all rows were read and the footer, the last line, fits them.
func (r *Reader) Next(row any) (bool, error) {
	line, err := r.NextLine()
	if err != nil || line == nil {
		return false, err
	}
	if err := json.Unmarshal(line, row); err != nil {
		return false, r.damaged(err)
	}
	return true, nil
}

// NextLine gives the next row as it was written, valid until the next call; nil is the end, as in Next.
func (r *Reader) NextLine() ([]byte, error) {
	if r.totals != nil {
		return nil, nil
	}
	line, err := r.readLine()
	if err != nil {
		return nil, r.damaged(err)
	}
	if _, err := r.buffer.Peek(1); errors.Is(err, io.EOF) {
		return nil, r.checkFooter(line)
	}
	r.digest.Write(line)
	r.rows++
	return line[:len(line)-1], nil
}

// Damaged is the error of a row that cannot be read for what it should be.
func (r *Reader) Damaged(err error) error { return r.damaged(err) }

func (r *Reader) checkFooter(line []byte) error {
	s, err := readFooter(line)
	if err != nil {
		return r.damaged(err)
	}
	if err := checkHeader(r.key, s.Header, r.want); err != nil {
		return err
	}
	if s.Rows != r.rows || s.SHA256 != hex.EncodeToString(r.digest.Sum(nil)) {
		return r.damaged(errors.New("its footer does not fit its rows"))
	}
	r.totals = s.Totals
	return nil
}

// Totals decodes the totals. They are known once Next has said that there are no more rows.
func (r *Reader) Totals(totals any) error {
	if r.totals == nil {
		return fault.New(fault.Internal, "part %s was not read to its end", r.key)
	}
	return decodeTotals(r.key, r.totals, totals)
}

// Close ends the reading.
func (r *Reader) Close() { _ = r.object.Body.Close() }

// readLine reads a line into memory that the next call uses again. A part always ends with a whole line.
func (r *Reader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		fragment, err := r.buffer.ReadSlice('\n')
		r.line = append(r.line, fragment...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		}
		return r.line, err
	}
}

func (r *Reader) damaged(err error) error {
	if code := fault.CodeOf(err); code != fault.Internal {
		return err // the store's own trouble
	}
	return fault.Wrap(err, fault.Internal, "part %s is damaged", r.key)
}
