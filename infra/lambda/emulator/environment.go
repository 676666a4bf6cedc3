package emulator

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// initTimeout bounds the time from the start of a process until it asks for work. It is
// longer than the 10 s of AWS, because the machine may be busy.
const initTimeout = time.Minute

// environment is one execution environment: a process, and the Runtime API through which
// the process receives work. It does one invocation at a time.
type environment struct {
	process *process
	server  *http.Server
	ready   chan struct{} // receives a value when the process asks for work
	work    chan delivery
	answers chan outcome
	fresh   bool // the process has not asked for work yet
	started time.Time
	serial  int
}

// delivery is one invocation that is sent to the process.
type delivery struct {
	id       string
	payload  []byte
	deadline time.Time
}

func newEnvironment(f *function, serial int) (*environment, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &environment{
		ready: make(chan struct{}, 1), work: make(chan delivery), answers: make(chan outcome, 1), fresh: true,
	}
	e.server = &http.Server{Handler: e.runtimeAPI(), ReadHeaderTimeout: time.Minute}
	f.emulator.work.Go(func() { _ = e.server.Serve(listener) }) // runs until close
	e.started = time.Now()
	e.process, err = launch(f, serial, listener.Addr().String())
	if err != nil {
		_ = e.server.Close()
		return nil, err
	}
	return e, nil
}

// close kills the process. It may be called more than once.
func (e *environment) close() {
	e.process.kill()
	_ = e.server.Close()
}

// run does one invocation. Between invocations the process is frozen. After run has
// killed the process, the environment must not be used any more.
func (e *environment) run(payload []byte, limit time.Duration, fault plannedFault) (o outcome) {
	var begun time.Time
	if e.fresh {
		if !e.await(e.ready, initTimeout) {
			e.process.kill()
			return failure("Runtime.ExitError", "Error: Runtime exited before it asked for work")
		}
		e.fresh, begun = false, time.Now()
		defer func() { o.init = begun.Sub(e.started) }()
	} else {
		e.process.thaw()
		begun = time.Now()
	}
	defer func() { o.took = o.answered.Sub(begun) }()
	e.serial++
	d := delivery{id: fmt.Sprintf("%d-%d", e.process.pid(), e.serial), payload: payload, deadline: time.Now().Add(limit)}
	stop := fault.strike(e.process)
	defer stop()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case e.work <- d:
	case <-e.process.ended:
		return crashed(d)
	case <-timeout.C:
		return e.timedOut(d, limit)
	}
	select {
	case o := <-e.answers:
		return e.settle(o, d, fault)
	case <-e.process.ended:
		return crashed(d)
	case <-timeout.C:
		return e.timedOut(d, limit)
	}
}

// settle waits for the end of an answered invocation, and then freezes the process. An
// invocation ends when the process asks for the next one. o is the outcome of the
// invocation. If the fault loses the answer, settle kills the process and returns a
// failure instead of o.
func (e *environment) settle(o outcome, d delivery, fault plannedFault) outcome {
	if fault.loseAnswer {
		e.process.kill()
		return crashed(d)
	}
	if !e.await(e.ready, initTimeout) {
		e.process.kill()
		return o
	}
	e.process.freeze()
	return o
}

func (e *environment) await(event <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-event:
		return true
	case <-e.process.ended:
	case <-timer.C:
	}
	return false
}

func crashed(d delivery) outcome {
	return failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: signal: killed", d.id)
}

func (e *environment) timedOut(d delivery, limit time.Duration) outcome {
	e.process.kill()
	return failure("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", d.id, limit.Seconds())
}

// runtimeAPI returns the handler of the Runtime API.
func (e *environment) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	const invocation = "/2018-06-01/runtime/invocation/"
	mux.HandleFunc("GET "+invocation+"next", e.next)
	mux.HandleFunc("POST "+invocation+"{id}/response", e.answered(false))
	mux.HandleFunc("POST "+invocation+"{id}/error", e.answered(true))
	return mux
}

func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	e.ready <- struct{}{}
	select {
	case d := <-e.work:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", d.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(d.deadline.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:emulated")
		_, _ = w.Write(d.payload) // an error means that the process has died, which run detects
	case <-r.Context().Done():
	}
}

func (e *environment) answered(failed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the process died
		}
		e.answers <- outcome{failed: failed, body: body, answered: time.Now()}
		w.WriteHeader(http.StatusAccepted)
	}
}
