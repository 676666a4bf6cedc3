package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"ace/infra/testkit/soak"
)

// outcome is the result of a suite.
type outcome struct {
	name    string
	passed  bool
	figures []string
	took    time.Duration
}

// event is a line of `go test -json`.
type event struct {
	Action string
	Test   string
	Output string
	Key    string
	Value  string
}

// run runs the tests of a suite. If a test fails, run prints the output and returns an
// outcome that has not passed, not an error.
func (s suite) run(ctx context.Context) (outcome, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, s.args...)...)
	command.Env = append(os.Environ(), s.env...)
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = time.Minute
	output, err := command.StdoutPipe()
	if err != nil {
		return outcome{}, err
	}
	start := time.Now()
	if err := command.Start(); err != nil {
		return outcome{}, err
	}
	result := outcome{name: s.name}
	log, err := result.read(output)
	ended := command.Wait()
	if err != nil || ctx.Err() != nil {
		return outcome{}, errors.Join(err, context.Cause(ctx))
	}
	result.passed, result.took = ended == nil, time.Since(start)
	if s.figures != "" || len(result.figures) == 0 {
		result.figures = append([]string{s.figures}, result.figures...)
	}
	if !result.passed {
		fmt.Fprint(os.Stderr, log)
	}
	return result, nil
}

// executions matches the progress lines of the fuzzer. The last progress line has the
// total number of inputs.
var executions = regexp.MustCompile(`^fuzz: elapsed: .*, execs: (\d+)`)

// read reads the output of the tests and returns it as text. It adds to o.figures what
// the tests report about their work, such as "12345 inputs".
func (o *outcome) read(output io.Reader) (string, error) {
	var log strings.Builder
	var fuzzed string
	for decoder := json.NewDecoder(output); ; {
		var e event
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("go test -json: %w", err)
		}
		log.WriteString(e.Output)
		if e.Action == "attr" && e.Key == soak.Attribute {
			_, name, _ := strings.Cut(e.Test, "/")
			o.figures = append(o.figures, strings.TrimPrefix(strings.ReplaceAll(name, "_", " ")+": ", ": ")+e.Value)
		}
		if match := executions.FindStringSubmatch(e.Output); match != nil {
			fuzzed = match[1]
		}
	}
	if fuzzed != "" {
		o.figures = append(o.figures, fuzzed+" inputs")
	}
	return log.String(), nil
}
