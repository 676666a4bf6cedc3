// Bigpage writes the page of a hundred thousand differences, of ten columns each.
package main

import (
	"bytes"
	"context"
	"io"
	"iter"
	"log"
	"os"

	"ace/shared/difffile"
	"ace/shared/difffile/difftest"
	"ace/shared/render"
	"ace/shared/render/rendertest"
)

// trouble ends the program.
type trouble struct{}

// Fatal is what difftest calls.
func (trouble) Fatal(args ...any) { log.Fatal(args...) }

func main() {
	found := func(difffile.Pair) iter.Seq[difftest.Found] { return rendertest.Drift(100_000) }
	document := difftest.Document(trouble{}, rendertest.Customers("n1", "n2"), found)
	open := func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(document[offset:])), nil
	}
	if err := render.HTML(context.Background(), os.Stdout, open); err != nil {
		log.Fatal(err)
	}
}
