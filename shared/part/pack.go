package part

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/s2"

	"ace/shared/archive"
)

// A packed part has its rows in blocks instead of lines. A block is
//
//	stored size, size | bytes
//
// where both sizes are varints and size is the length of the block's rows before
// compression. If the sizes differ, the bytes are compressed by S2, an extension of
// Snappy. A stored size of zero and a newline follow the last block; the footer is a
// line, as in every part. Each row of a block is preceded by its length, a varint, and
// may contain any bytes.

// s2Packing is the value of packing in the header of a packed part.
const s2Packing = "s2"

const (
	// blockSize is the size at which a block is written. A block has at least one row.
	blockSize = 256 << 10
	// maxCompressed is the maximum size of the rows of a compressed block. A block that is
	// larger, because it has a large row, is stored as it is: to compress it would take
	// twice the memory.
	maxCompressed = 4 * blockSize
)

// CreatePacked is like Create, but begins a packed part, whose rows are compressed. Only
// Line may write its rows, and a row may contain any bytes. A packed part is read like
// any other part.
func CreatePacked(ctx context.Context, store archive.Store, key string, header Header) (*Writer, error) {
	return create(ctx, store, key, header, &packer{})
}

// packer collects rows into blocks.
type packer struct {
	block []byte // the rows of the current block
	out   []byte // memory for the compressed block
}

// add adds a row, and writes the block to w if it is full.
func (p *packer) add(w io.Writer, row []byte) error {
	if len(row) > maxCompressed {
		return p.addLarge(w, row)
	}
	p.block = binary.AppendUvarint(p.block, uint64(len(row)))
	p.block = append(p.block, row...)
	if len(p.block) < blockSize {
		return nil
	}
	return p.flush(w)
}

// addLarge writes a large row to w as a block of its own, without a copy of the row.
func (p *packer) addLarge(w io.Writer, row []byte) error {
	if err := p.flush(w); err != nil {
		return err
	}
	var length [binary.MaxVarintLen64]byte
	prefix := binary.AppendUvarint(length[:0], uint64(len(row)))
	size := uint64(len(prefix) + len(row))
	head := append(binary.AppendUvarint(binary.AppendUvarint(nil, size), size), prefix...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(row)
	return err
}

// flush writes the current block to w, unless it is empty.
func (p *packer) flush(w io.Writer) error {
	if len(p.block) == 0 {
		return nil
	}
	stored := p.block
	if len(p.block) <= maxCompressed {
		p.out = s2.Encode(p.out[:cap(p.out)], p.block)
		if len(p.out) < len(p.block) {
			stored = p.out
		}
	}

	var sizes [2 * binary.MaxVarintLen64]byte
	head := binary.AppendUvarint(binary.AppendUvarint(sizes[:0], uint64(len(stored))), uint64(len(p.block)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(stored)
	p.block = p.block[:0]
	if cap(p.block) > maxCompressed {
		p.block = nil
	}
	return err
}

// end writes the last block and what follows it.
func (p *packer) end(w io.Writer) error {
	if err := p.flush(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\x00\n")
	return err
}

var errBlock = errors.New("a block of rows is malformed")

// unpacker reads the rows of a packed part.
type unpacker struct {
	stored []byte // memory for the bytes of a compressed block
	block  []byte // memory for the rows of a block
	rest   []byte // the rows of the block that were not returned yet
	ended  bool   // the last block was read
}

// next returns the next row, or nil after the last one. The row is valid until the next
// call.
func (u *unpacker) next(r io.Reader, bytes io.ByteReader) ([]byte, error) {
	if len(u.rest) == 0 && !u.ended {
		if err := u.readBlock(r, bytes); err != nil {
			return nil, err
		}
	}
	if u.ended {
		return nil, nil
	}

	size, n := binary.Uvarint(u.rest)
	if n <= 0 || size > uint64(len(u.rest)-n) {
		return nil, errBlock
	}
	row := u.rest[n : n+int(size)]
	u.rest = u.rest[n+int(size):]
	return row, nil
}

// readBlock reads the next block, or what follows the last one.
func (u *unpacker) readBlock(r io.Reader, bytes io.ByteReader) error {
	stored, err := binary.ReadUvarint(bytes)
	if err != nil {
		return noEOF(err)
	}
	if stored == 0 {
		u.ended = true
		newline, err := bytes.ReadByte()
		if err == nil && newline != '\n' {
			err = errBlock
		}
		return noEOF(err)
	}

	size, err := binary.ReadUvarint(bytes)
	switch {
	case err != nil:
		return noEOF(err)
	case size == stored:
		u.block, err = readFull(r, u.block, stored)
		u.rest = u.block
		return err
	case stored > size || size > maxCompressed:
		return errBlock
	}

	if u.stored, err = readFull(r, u.stored, stored); err != nil {
		return err
	}
	if n, err := s2.DecodedLen(u.stored); err != nil || uint64(n) != size {
		return errBlock
	}
	if u.block, err = s2.Decode(u.block[:cap(u.block)], u.stored); err != nil {
		return errBlock
	}
	u.rest = u.block
	return nil
}

// readFull reads size bytes into the memory of buffer, or into larger memory. It
// allocates more than maxCompressed only as the bytes arrive, because a damaged size may
// be any number.
func readFull(r io.Reader, buffer []byte, size uint64) ([]byte, error) {
	buffer = buffer[:0]
	for size > 0 {
		step := int(min(size, uint64(max(maxCompressed, len(buffer)))))
		at := len(buffer)
		if cap(buffer) < at+step {
			buffer = append(make([]byte, 0, at+step), buffer...)
		}
		buffer = buffer[:at+step]
		if _, err := io.ReadFull(r, buffer[at:]); err != nil {
			return nil, noEOF(err)
		}
		size -= uint64(step)
	}
	return buffer, nil
}

// noEOF returns err, or io.ErrUnexpectedEOF for io.EOF.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
