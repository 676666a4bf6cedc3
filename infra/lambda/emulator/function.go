package emulator

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

const defaultConcurrency = 1000

// function is one running function. It limits the concurrency, and holds the execution
// environments that wait for work.
type function struct {
	Function
	emulator *Emulator

	mu      sync.Mutex
	running int
	most    int
	waiting []*environment // execution environments without work; the environment that was used last is at the end
	all     map[*environment]bool
	closed  bool
	serial  int
}

func newFunction(e *Emulator, f Function) *function {
	if f.Concurrency == 0 {
		f.Concurrency = defaultConcurrency
	}
	return &function{Function: f, emulator: e, all: map[*environment]bool{}}
}

// outcome is the result of an invocation.
type outcome struct {
	throttled bool
	failed    bool
	body      []byte

	init, took time.Duration
	answered   time.Time
}

// failure returns an outcome with an error message in Lambda's format.
func failure(kind, format string, args ...any) outcome {
	body, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": fmt.Sprintf(format, args...)})
	if err != nil { // cannot happen: strings can always be encoded
		return outcome{failed: true}
	}
	return outcome{failed: true, body: body}
}

// handle does one invocation. It injects the faults Throttle and Twice.
func (f *function) handle(payload []byte) outcome {
	if f.emulator.happens(f.Faults.Throttle) {
		return outcome{throttled: true}
	}
	if !f.emulator.happens(f.Faults.Twice) {
		return f.once(payload)
	}
	var outcomes [2]outcome
	var both sync.WaitGroup
	for i := range outcomes {
		both.Go(func() { outcomes[i] = f.once(payload) })
	}
	both.Wait()
	if outcomes[0].throttled {
		return outcomes[1]
	}
	return outcomes[0]
}

// once delivers a payload to one execution environment, unless the concurrency limit is
// reached.
func (f *function) once(payload []byte) outcome {
	if !f.enter() {
		return outcome{throttled: true}
	}
	defer f.leave()
	if f.Faults.Latency > 0 && !f.emulator.sleep(f.Faults.Latency) {
		return failure("Sandbox.Closed", "the emulator is closed")
	}
	env, err := f.take()
	if err != nil {
		return failure("Runtime.InitError", "%v", err)
	}
	o := env.run(payload, f.Timeout, f.plan())
	if len(o.body) > maxSync {
		o = failure("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (%d bytes).", maxSync)
	}
	f.giveBack(env)
	done := Invocation{Function: f.Name, Payload: string(payload), Answer: string(o.body), Init: o.init, Took: o.took}
	if o.failed {
		done.Answer, done.Error = "", string(o.body)
	}
	f.emulator.record(done)
	return o
}

func (f *function) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running == f.Concurrency {
		return false
	}
	f.running++
	f.most = max(f.most, f.running)
	return true
}

func (f *function) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
}

// take returns the idle execution environment that was used last, or a new one.
func (f *function) take() (*environment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.closed && len(f.waiting) > 0 {
		env := f.waiting[len(f.waiting)-1]
		f.waiting = f.waiting[:len(f.waiting)-1]
		if env.process.running() {
			return env, nil
		}
		delete(f.all, env)
		env.close()
	}
	if f.closed {
		return nil, fmt.Errorf("the emulator is closed")
	}
	f.serial++
	env, err := newEnvironment(f, f.serial)
	if err == nil {
		f.all[env] = true
	}
	return env, err
}

// giveBack stores an environment for the next invocation if the environment's process is
// alive. Otherwise it closes the environment.
func (f *function) giveBack(env *environment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if env.process.running() && !f.closed {
		f.waiting = append(f.waiting, env)
		return
	}
	delete(f.all, env)
	env.close()
}

func (f *function) close() {
	f.mu.Lock()
	f.closed = true
	all := f.all
	f.all = map[*environment]bool{}
	f.mu.Unlock()
	for env := range all {
		env.close()
	}
}
