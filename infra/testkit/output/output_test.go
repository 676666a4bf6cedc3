package output_test

import (
	"sync"
	"testing"

	"ace/infra/testkit/output"
)

func TestBuffer_MayBeReadWhileAProcessWrites(t *testing.T) {
	var b output.Buffer
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 100 {
			_, _ = b.Write([]byte("x"))
		}
	})
	for len(b.String()) < 50 {
		continue
	}
	writer.Wait()
	if n := len(b.String()); n != 100 {
		t.Errorf("it has %d bytes, want 100", n)
	}
}
