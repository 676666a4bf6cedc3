package readahead_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"ace/infra/testkit/difftest"
	"ace/infra/testkit/rendertest"
	"ace/shared/difffile"
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

// BenchmarkReader compares a document that is read ahead with one that is not. Both come
// over HTTP and are hashed and parsed, by turns. BENCHMARKS.md has the figures.
func BenchmarkReader(b *testing.B) {
	document := difftest.Document(b, rendertest.Accounts("n1", "n2"), func(difffile.Pair) iter.Seq[difftest.Found] {
		return rendertest.Arrears(100_000)
	})
	for name, bytesPerSecond := range map[string]int{"a local store": 0, "a store of 100 MB per s": 100e6, "a store of 50 MB per s": 50e6} {
		b.Run(name, func(b *testing.B) { compareReaders(b, document, bytesPerSecond) })
	}
}

// compareReaders reports how much longer reading takes without readahead. A store of 0
// bytes per second is as fast as it can be.
func compareReaders(b *testing.B, document []byte, bytesPerSecond int) {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { serveSlowly(w, document, bytesPerSecond) }))
	defer server.Close()

	var ratios []float64
	for b.Loop() {
		ahead := readDocument(b, server, func(src io.Reader, sum hash.Hash) (io.Reader, func()) {
			r := readahead.New(src, func(piece []byte) { sum.Write(piece) })
			return r, r.Close
		})
		direct := readDocument(b, server, func(src io.Reader, sum hash.Hash) (io.Reader, func()) {
			return io.TeeReader(src, sum), func() {}
		})
		ratios = append(ratios, float64(direct)/float64(ahead))
	}

	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "time-ratio")
	b.ReportMetric(0, "ns/op")
}

// serveSlowly writes a document at a rate in bytes per second. A rate of 0 has no limit.
// Like a network, it sends no more than a socket buffer while the client does not read.
func serveSlowly(w io.Writer, document []byte, rate int) {
	const piece = 64 << 10
	for len(document) > 0 {
		start := time.Now()
		n := min(piece, len(document))
		_, _ = w.Write(document[:n])
		document = document[n:]
		if rate > 0 {
			time.Sleep(time.Duration(n)*time.Second/time.Duration(rate) - time.Since(start))
		}
	}
}

// readDocument returns how long it takes to read the server's document through a wrapper.
func readDocument(b *testing.B, server *httptest.Server, wrap func(io.Reader, hash.Hash) (io.Reader, func())) time.Duration {
	b.Helper()
	start := time.Now()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()

	stream, closeStream := wrap(response.Body, sha256.New())
	defer closeStream()

	r, err := difffile.Open(stream)
	if err == nil {
		err = r.Walk(nil, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
