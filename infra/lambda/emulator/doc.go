// Package emulator emulates AWS Lambda for tests. It serves the Invoke API and runs the
// real function binaries. Each binary runs in a process of its own, receives its work
// through the Lambda Runtime API, and is frozen between invocations as on AWS.
//
// It reproduces AWS's guarantees and its limits: a function is killed at its time limit,
// an invocation above the concurrency limit is refused with 429, payloads are limited,
// and an asynchronous event is delivered at least once and retried twice. Faults can be
// injected in addition. The emulator checks no signature and no permission, and listens
// on loopback only.
//
//	emulator.go    the Emulator: start, end, list of invocations
//	api.go         the Invoke API, and Secrets Manager
//	events.go      asynchronous invocations
//	function.go    a function's concurrency and its execution environments
//	environment.go one execution environment: a process and the Runtime API it talks to
//	process.go     the process
//	faults.go      injected faults
package emulator
