// Package emulator is a small AWS Lambda for tests: the Invoke API in front of real
// function binaries, each of which gets its work through the Lambda Runtime API, in a
// process of its own that is frozen between invocations as AWS does it.
//
// It keeps AWS's promises and its unkindnesses: time limits kill, a function that has as
// many invocations under way as it may is answered with 429, payloads have limits, an
// asynchronous event is delivered at least once and retried twice. Faults can be injected
// on top. It checks no signature and no permission, and it never runs anywhere but on
// loopback.
//
//	emulator.go    the Emulator: starting, closing, what was invoked
//	api.go         the Invoke API, and Secrets Manager
//	events.go      asynchronous invocations
//	function.go    a function's concurrency and its execution environments
//	environment.go one execution environment: a process and the Runtime API it talks to
//	process.go     the process
//	faults.go      what goes wrong on purpose
package emulator
