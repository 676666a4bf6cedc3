// Command soak runs the randomised tests at length: live writes, the comparison with
// plain SQL, properties, and fuzz targets. In `make test` these tests have small budgets
// and fixed seeds. At the end it prints the command that reproduces the run, and what
// each suite has tried.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
)

// options are the options of a run. A second run with the same options runs the same
// tests with the same values.
type options struct {
	seed   uint64
	scale  float64
	inputs int
	only   string
}

func main() {
	var o options
	flag.Uint64Var(&o.seed, "seed", rand.Uint64N(1_000_000), "what the tests draw from")
	flag.Float64Var(&o.scale, "scale", 1, "how much of the full budget, such as 0.2")
	flag.IntVar(&o.inputs, "inputs", 100_000, "for each fuzz target")
	flag.StringVar(&o.only, "only", "", "only the suites whose name contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak: "+err.Error())
		os.Exit(1) //nolint:gocritic // everything that the run started has ended
	}
}

func run(ctx context.Context, o options) error {
	suites, err := suites(o)
	if err != nil {
		return err
	}
	var done []outcome
	failed := 0
	for _, s := range suites {
		fmt.Fprintln(os.Stderr, "running: "+s.name)
		result, err := s.run(ctx)
		if err != nil {
			return err
		}
		if !result.passed {
			failed++
		}
		done = append(done, result)
		result.print(os.Stderr)
	}
	fmt.Printf("\n%s\n\n| suite | what was tried | result | s |\n|---|---|---|---:|\n", o.command())
	for _, result := range done {
		result.print(os.Stdout)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d suites failed", failed, len(done))
	}
	return nil
}

// command returns the command that reproduces the run.
func (o options) command() string {
	text := fmt.Sprintf("go run ./infra/soak -seed %d -scale %g -inputs %d", o.seed, o.scale, o.inputs)
	if o.only != "" {
		text += fmt.Sprintf(" -only %q", o.only)
	}
	return text
}

// print writes an outcome as rows of a Markdown table, one row for each of the outcome's
// figures.
func (o outcome) print(to io.Writer) {
	verdict := "passed"
	if !o.passed {
		verdict = "FAILED"
	}
	for i, figures := range o.figures {
		if i == 0 {
			fmt.Fprintf(to, "| %s | %s | %s | %.0f |\n", o.name, figures, verdict, o.took.Seconds())
		} else {
			fmt.Fprintf(to, "| | %s | | |\n", figures)
		}
	}
}
