package readahead_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"ace/shared/readahead"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReader_ReturnsAndTapsAllBytesOfTheSource(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	rapid.Check(t, func(t *rapid.T) {
		want := make([]byte, rapid.SampledFrom([]int{0, 1, 1000, 128 << 10, 128<<10 + 1, 1 << 20}).Draw(t, "size"))
		_, _ = random.Read(want)
		end := rapid.SampledFrom([]error{io.EOF, io.ErrUnexpectedEOF, errors.New("the source broke")}).Draw(t, "end")
		src := io.MultiReader(bytes.NewReader(want), iotest.ErrReader(end))
		if rapid.Bool().Draw(t, "data with the error") {
			src = iotest.DataErrReader(src)
		}
		if rapid.Bool().Draw(t, "half reads") {
			src = iotest.HalfReader(src)
		}

		var shown bytes.Buffer
		r := readahead.New(src, func(piece []byte) { shown.Write(piece) })
		defer r.Close()

		var got bytes.Buffer
		piece := make([]byte, rapid.SampledFrom([]int{100, 64 << 10, 1 << 20}).Draw(t, "piece"))
		for {
			n, err := r.Read(piece)
			got.Write(piece[:n])
			if err == nil {
				continue
			}
			if !errors.Is(err, end) {
				t.Fatalf("it ends with %v instead of %v", err, end)
			}

			break
		}

		if !bytes.Equal(got.Bytes(), want) || !bytes.Equal(shown.Bytes(), want) {
			t.Fatalf("%d bytes were read and %d tapped of %d", got.Len(), shown.Len(), len(want))
		}
		if _, err := r.Read(piece); !errors.Is(err, end) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestReader_CloseEndsItsGoroutine(t *testing.T) {
	for _, read := range []int{0, 1, 1 << 20} {
		r := readahead.New(endless{}, func([]byte) {})
		if _, err := io.CopyN(io.Discard, r, int64(read)); err != nil {
			t.Fatal(err)
		}

		r.Close()
		r.Close()
		if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after Close: %d bytes, %v", n, err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
