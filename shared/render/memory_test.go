package render_test

import (
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"ace/infra/testkit/difftest"
	"ace/infra/testkit/rendertest"
	"ace/shared/difffile"
	"ace/shared/render"
	"ace/shared/rowpairs"
)

// heapWatch records the largest heap while a document is rendered.
type heapWatch struct {
	written, checked int
	most             uint64
}

func (w *heapWatch) Write(p []byte) (int, error) {
	if w.written += len(p); w.written-w.checked > 1<<19 {
		w.checked = w.written
		w.most = max(w.most, heap())
	}
	return len(p), nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestRendering_MemoryDoesNotGrowWithTheRows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "document.json")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	const keys = 3_500 // 1.8 MB, seven times the memory that a rendering needs
	difftest.Write(t, out, rendertest.Customers("n1", "n2"), func(difffile.Pair) iter.Seq[difftest.Found] { return rendertest.Drift(keys) })
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	open := func(_ context.Context, offset int64) (io.ReadCloser, error) {
		f, err := os.Open(file)
		if err == nil {
			_, err = f.Seek(offset, io.SeekStart)
		}
		return f, err
	}
	for name, write := range map[string]func(context.Context, io.Writer, rowpairs.Opener) error{"CSV": render.CSV, "HTML": render.HTML} {
		t.Run(name, func(t *testing.T) {
			before, watch := heap(), &heapWatch{}
			if err := write(t.Context(), watch, open); err != nil {
				t.Fatal(err)
			}
			if watch.written < 1<<20 || watch.most > before+1<<20 {
				t.Errorf("while %d bytes were written the heap grew from %d to %d bytes", watch.written, before, watch.most)
			}
		})
	}
}
