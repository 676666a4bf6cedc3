package part

import (
	"bytes"
)

// Memory holds rows in memory, in the blocks of a packed part (see pack.go), which are
// usually compressed. The zero value holds no rows. It is not safe for concurrent use.
type Memory struct {
	packer packer
	blocks bytes.Buffer
}

// Line adds a row, which may contain any bytes.
func (m *Memory) Line(row []byte) error { return m.packer.add(&m.blocks, row) }

// Size returns the size of the packed rows in bytes. The last rows may not be packed yet.
func (m *Memory) Size() int { return m.blocks.Len() }

// Seal packs the last rows. It must be called once, after the last call of Line and
// before the first call of Read.
func (m *Memory) Seal() error {
	err := m.packer.end(&m.blocks)
	m.packer = packer{}
	return err
}

// Read returns a reader of the rows.
func (m *Memory) Read() *MemoryReader {
	return &MemoryReader{blocks: bytes.NewReader(m.blocks.Bytes())}
}

// MemoryReader reads the rows of a Memory.
type MemoryReader struct {
	unpacker unpacker
	blocks   *bytes.Reader
}

// NextLine returns the next row, or nil after the last one. The row is valid until the
// next call.
func (r *MemoryReader) NextLine() ([]byte, error) {
	return r.unpacker.next(r.blocks, r.blocks)
}
