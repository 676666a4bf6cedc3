package pgtest

import (
	"fmt"
	"os"

	"go.uber.org/goleak"
)

// shared holds the servers of this test process while Main runs. It is a global variable
// because go test has no other place for values that several tests share.
var shared *pool //nolint:gochecknoglobals // see above

// Main runs the tests, stops the shared servers and exits. A goroutine that outlives the
// tests fails the run, unless an option in expected ignores it.
func Main(m interface{ Run() int }, expected ...goleak.Option) {
	shared = newPool()
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest: stopping the servers:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(expected...); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// ServerGoroutines returns an option for a test that checks for leaked goroutines itself.
// With this option, goleak ignores the goroutine of each running server.
func ServerGoroutines() goleak.Option {
	return goleak.IgnoreAnyFunction("ace/infra/testkit/pgserver.(*process).run")
}
