// Package part reads and writes parts. A part is the result of one unit of work, stored
// in the archive as one object that is written once.
//
// A part is a sequence of lines:
//
//  1. the header, which names the task, the plan and the unit;
//  2. any number of rows;
//  3. the footer: the unit's totals, the number of rows and the SHA-256 of all bytes
//     before it.
//
// A packed part (pack.go) has compressed blocks of rows instead of a line for each row.
//
// A part without its footer, or with a footer that does not match its rows, is never
// accepted as complete. Memory use does not depend on the number of rows.
package part

import (
	"bufio"
	"bytes"
	"cmp"
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

// Header identifies the unit of work whose result a part contains: the task, the hash of
// the task's plan, and the name of the unit in this plan.
type Header struct {
	TaskID   string `json:"task_id"`
	PlanHash string `json:"plan_hash"`
	Unit     string `json:"unit"`
}

// headerLine is the first line of a part.
type headerLine struct {
	Header
	// Packing is s2Packing in a packed part. It is empty if each row is a line.
	Packing string `json:"packing,omitempty"`
}

// Writer writes one part. Commit or Abort must be called. Abort after Commit does
// nothing, so it may be deferred.
type Writer struct {
	header  Header
	object  archive.Writer
	buffer  *bufio.Writer
	encoder *json.Encoder // writes to buffer; unlike json.Marshal, it makes no extra copy of a huge row
	digest  hash.Hash
	rows    int64
	packer  *packer // nil if each row is a line
}

// Create begins a part. The part is not visible before Commit.
func Create(ctx context.Context, store archive.Store, key string, header Header) (*Writer, error) {
	return create(ctx, store, key, header, nil)
}

func create(ctx context.Context, store archive.Store, key string, header Header, p *packer) (*Writer, error) {
	object, err := store.Create(ctx, key, contentType)
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	w := &Writer{
		header: header,
		object: object,
		buffer: bufio.NewWriterSize(io.MultiWriter(object, digest), 64<<10),
		digest: digest,
		packer: p,
	}
	w.encoder = json.NewEncoder(w.buffer)
	first := headerLine{Header: header}
	if p != nil {
		first.Packing = s2Packing
	}
	if err := w.line(first); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// Row writes a row as JSON. It must not be called for a packed part.
func (w *Writer) Row(row any) error {
	w.rows++
	return w.line(row)
}

// Line writes a row that the caller has encoded. Unless the part is packed, the row must
// not contain a newline.
func (w *Writer) Line(line []byte) error {
	if w.packer != nil {
		w.rows++
		return w.packer.add(w.buffer, line)
	}
	if bytes.IndexByte(line, '\n') >= 0 {
		return fault.New(fault.Internal, "a row of a part has more than one line")
	}
	w.rows++
	if _, err := w.buffer.Write(line); err != nil {
		return err
	}
	return w.buffer.WriteByte('\n')
}

// line writes one value as JSON. An error of the archive is returned unchanged.
func (w *Writer) line(value any) error {
	err := w.encoder.Encode(value)
	var unsupported *json.UnsupportedValueError
	if errors.As(err, &unsupported) {
		return fault.Wrap(err, fault.Internal, "a row of a part cannot be written")
	}
	return err
}

// Commit writes the footer and makes the part visible. It returns archive.ErrPrecondition
// if the part already exists, because another worker has completed the same unit. Then
// the existing part is the unit's result. If the footer cannot be written, the part is
// discarded.
func (w *Writer) Commit(ctx context.Context, totals any) error {
	if err := w.writeFooter(totals); err != nil {
		w.Abort()
		return err
	}

	// This makes the part visible and so completes the unit.
	_, err := w.object.Commit(ctx)
	return err
}

func (w *Writer) writeFooter(totals any) error {
	raw, err := json.Marshal(totals)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the totals of a part cannot be written")
	}

	if w.packer != nil {
		if err := w.packer.end(w.buffer); err != nil {
			return err
		}
	}

	// All rows must have been passed to the digest before the digest is computed.
	if err := w.buffer.Flush(); err != nil {
		return err
	}

	f := footer{Header: w.header, Totals: raw, Rows: w.rows, SHA256: w.SHA256()}
	f.Check = f.checksum()
	if err := w.line(f); err != nil {
		return err
	}
	return w.buffer.Flush()
}

// Rows returns the number of rows written so far.
func (w *Writer) Rows() int64 { return w.rows }

// SHA256 returns the hexadecimal SHA-256 of the bytes that have left the buffer. After
// Commit, these are all bytes of the object.
func (w *Writer) SHA256() string { return hex.EncodeToString(w.digest.Sum(nil)) }

// Abort discards the part.
func (w *Writer) Abort() { w.object.Abort() }

// Reader reads one part from its beginning. It must be closed.
type Reader struct {
	key    string
	want   Header
	object archive.Object
	buffer *bufio.Reader
	digest hash.Hash
	rows   int64
	line   []byte          // the line that was read last; its memory is reused for the next line
	totals json.RawMessage // nil until the footer was read
	packed *unpacker       // nil if each row is a line
}

// Open opens a part and verifies that it has the header want.
func Open(ctx context.Context, store archive.Store, key string, want Header) (*Reader, error) {
	object, err := store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	r := &Reader{
		key:    key,
		want:   want,
		object: object,
		buffer: bufio.NewReaderSize(object.Body, 64<<10),
		digest: sha256.New(),
	}

	line, err := r.readLine()
	if err != nil {
		r.Close()
		return nil, r.damaged(err)
	}
	if err := r.readHeader(line); err != nil {
		r.Close()
		return nil, err
	}
	r.digest.Write(line)
	return r, nil
}

// readHeader checks the first line of the part and prepares the reader for its packing.
func (r *Reader) readHeader(line []byte) error {
	var got headerLine
	if err := json.Unmarshal(line, &got); err != nil {
		return fault.Wrap(err, fault.Internal, "part %s is damaged: its header is not JSON", r.key)
	}
	switch got.Packing {
	case "":
	case s2Packing:
		r.packed = &unpacker{}
	default:
		return fault.New(fault.Internal, "part %s has the packing %q: this version reads %q", r.key, got.Packing, s2Packing)
	}
	return checkHeader(r.key, got.Header, r.want)
}

func checkHeader(key string, got, want Header) error {
	if got != want {
		return fault.New(fault.Internal,
			"part %s belongs to unit %q of task %q and plan %.12q instead of unit %q of task %q and plan %.12q",
			key, got.Unit, got.TaskID, got.PlanHash, want.Unit, want.TaskID, want.PlanHash)
	}
	return nil
}

// Next decodes the next row into row. It returns false after the last row, once the
// footer was found to match the rows.
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

// NextLine returns the next row as it was written, without the newline. The line is valid
// until the next call. A nil line means that there are no more rows, and that the footer
// matches the rows.
func (r *Reader) NextLine() ([]byte, error) {
	if r.totals != nil {
		return nil, nil
	}
	if r.packed != nil {
		return r.nextPacked()
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

// nextPacked is NextLine for a packed part.
func (r *Reader) nextPacked() ([]byte, error) {
	row, err := r.packed.next(hashed{r}, hashed{r})
	switch {
	case err != nil:
		return nil, r.damaged(err)
	case row != nil:
		r.rows++
		return row, nil
	}

	line, err := r.readLine()
	if err != nil {
		return nil, r.damaged(err)
	}
	if _, err := r.buffer.Peek(1); !errors.Is(err, io.EOF) {
		return nil, r.damaged(cmp.Or(err, errBlock))
	}
	return nil, r.checkFooter(line)
}

// hashed reads the bytes of a part and adds them to the reader's digest.
type hashed struct{ r *Reader }

func (h hashed) Read(p []byte) (int, error) {
	n, err := h.r.buffer.Read(p)
	h.r.digest.Write(p[:n])
	return n, err
}

func (h hashed) ReadByte() (byte, error) {
	b, err := h.r.buffer.ReadByte()
	if err == nil {
		h.r.digest.Write([]byte{b})
	}
	return b, err
}

// Damaged returns the error for a row that the caller could not decode. err is the
// decoder's error. If err has the code internal (see fault.CodeOf), the returned error
// reports the part as damaged. Any other err is returned unchanged.
func (r *Reader) Damaged(err error) error { return r.damaged(err) }

func (r *Reader) checkFooter(line []byte) error {
	f, err := readFooter(line)
	if err != nil {
		return r.damaged(err)
	}
	if err := checkHeader(r.key, f.Header, r.want); err != nil {
		return err
	}
	if f.Rows != r.rows || f.SHA256 != hex.EncodeToString(r.digest.Sum(nil)) {
		return r.damaged(errors.New("its footer does not match its rows"))
	}
	r.totals = f.Totals
	return nil
}

// Totals decodes the totals of the part into totals. It fails if it is called before Next
// has returned false or NextLine has returned a nil line.
func (r *Reader) Totals(totals any) error {
	if r.totals == nil {
		return fault.New(fault.Internal, "part %s was not read to its end", r.key)
	}
	return decodeTotals(r.key, r.totals, totals)
}

// Close releases the stream of the archive.
func (r *Reader) Close() { _ = r.object.Body.Close() }

// readLine returns the next line with its newline. The next call reuses the memory of the
// line. A part that ends without a newline is an error.
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
		return err // the error of the store
	}
	return fault.Wrap(err, fault.Internal, "part %s is damaged", r.key)
}
