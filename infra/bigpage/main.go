// Command bigpage renders a page of a hundred thousand differences for the tests of
// shared/render. The rows have ten columns if its argument is "wide", otherwise four.
package main

import (
	"bytes"
	"context"
	"io"
	"iter"
	"log"
	"os"
	"slices"

	"ace/infra/testkit/difftest"
	"ace/infra/testkit/rendertest"
	"ace/shared/difffile"
	"ace/shared/render"
)

// trouble is passed to package difftest in place of a *testing.T. It ends the program
// after an error.
type trouble struct{}

// Fatal logs the error and ends the program.
func (trouble) Fatal(args ...any) { log.Fatal(args...) }

func main() {
	summary, list := rendertest.Accounts("n1", "n2"), rendertest.Arrears(100_000)
	if slices.Contains(os.Args, "wide") {
		summary, list = rendertest.Customers("n1", "n2"), rendertest.Drift(100_000)
	}
	document := difftest.Document(trouble{}, summary, func(difffile.Pair) iter.Seq[difftest.Found] { return list })
	open := func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(document[offset:])), nil
	}
	if err := render.HTML(context.Background(), os.Stdout, open); err != nil {
		log.Fatal(err)
	}
}
