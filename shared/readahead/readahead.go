// Package readahead reads a stream ahead while its consumer processes earlier data.
package readahead

import "io"

const (
	blocks    = 3
	blockSize = 128 << 10
)

// Reader returns the bytes of another reader. It reads that reader ahead, in a separate
// goroutine. The caller must close it.
type Reader struct {
	filled chan block
	empty  chan []byte
	quit   chan struct{}
	block  block
	at     int // index of the next byte in block
}

type block struct {
	bytes []byte
	err   error // the error that the source returned after the bytes
}

// New returns a Reader and starts reading src. The Reader calls tap in its own goroutine,
// with each piece of data, before Read can return the piece. Once Read has returned an
// error, tap is no longer called.
func New(src io.Reader, tap func([]byte)) *Reader {
	r := &Reader{filled: make(chan block, blocks), empty: make(chan []byte, blocks), quit: make(chan struct{})}
	for range blocks {
		r.empty <- make([]byte, blockSize)
	}
	go r.run(src, tap)
	return r
}

func (r *Reader) run(src io.Reader, tap func([]byte)) {
	defer close(r.filled)
	for {
		select {
		case <-r.quit:
			return
		case memory := <-r.empty:
			b := fill(src, memory)
			tap(b.bytes)
			r.filled <- b
			if b.err != nil {
				return
			}
		}
	}
}

func fill(src io.Reader, memory []byte) (b block) {
	n := 0
	for n < len(memory) && b.err == nil {
		var more int
		more, b.err = src.Read(memory[n:])
		n += more
	}
	b.bytes = memory[:n]
	return b
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for r.at == len(r.block.bytes) {
		if r.block.err != nil {
			return 0, r.block.err
		}
		if r.block.bytes != nil {
			r.empty <- r.block.bytes[:blockSize]
		}

		next, open := <-r.filled
		if !open {
			next.err = io.ErrClosedPipe
		}

		r.block, r.at = next, 0
	}

	n := copy(p, r.block.bytes[r.at:])
	r.at += n
	return n, nil
}

// Close ends the reading. If a call of the source's Read is in progress, Close waits
// until that call returns. A caller that cannot wait must first make it return, for
// instance by closing the source. Close may be called again, but not concurrently with
// Read.
func (r *Reader) Close() {
	select {
	case <-r.quit:
	default:
		close(r.quit)
	}
	for range r.filled { // wait until the goroutine has ended
	}
	r.block, r.at = block{err: io.ErrClosedPipe}, 0
}
