package emulator

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// closeTimeout bounds the wait for requests to end after their functions were killed.
const closeTimeout = 10 * time.Second

// Function describes one function and its settings.
type Function struct {
	Name        string
	Binary      string            // path of the executable
	Env         map[string]string // environment variables in addition to those that Lambda sets
	Timeout     time.Duration     // time limit of an invocation, after which the process is killed
	Concurrency int               // maximum number of concurrent invocations; 0: 1000
	Faults      Faults
}

// Options are the options of an emulator.
type Options struct {
	Functions []Function
	// RetryDelay is the wait before the first retry of a failed event. The wait before
	// the second retry is twice as long. On AWS, RetryDelay is a minute.
	RetryDelay time.Duration
	Seed       uint64    // seed of the random faults
	Output     io.Writer // receives what the functions print
	// Secrets are the values that Secrets Manager returns, by ARN. The emulator serves
	// Secrets Manager at the same address as Lambda.
	Secrets map[string]string
}

// Emulator is a running Lambda service. It must be closed.
type Emulator struct {
	options   Options
	functions map[string]*function
	listener  net.Listener
	server    *http.Server
	ctx       context.Context //nolint:containedctx // the context of the deliveries of events, which continue after the request that sends the event
	cancel    context.CancelFunc
	work      sync.WaitGroup

	mu     sync.Mutex
	random *rand.Rand
	log    []Invocation
	lost   []Invocation
}

// Invocation is the result of one delivery to a function.
type Invocation struct {
	Function string
	Payload  string
	Answer   string
	Error    string // "" if the function answered
	// Init is the time from the start of the process until the process asks for work. It
	// is 0 unless this is the first invocation of an execution environment. Took is the
	// time from the delivery of the payload to the answer.
	Init, Took time.Duration
}

// Start starts an emulator on a free port of loopback.
func Start(o Options) (*Emulator, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &Emulator{
		options: o, functions: map[string]*function{}, listener: listener,
		random: rand.New(rand.NewPCG(o.Seed, o.Seed)),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	for _, f := range o.Functions {
		e.functions[f.Name] = newFunction(e, f)
	}
	e.server = &http.Server{Handler: e.api(), ReadHeaderTimeout: time.Minute}
	e.work.Go(func() { _ = e.server.Serve(listener) }) // runs until Close
	return e, nil
}

// URL returns the URL of the emulator, which a client of Lambda needs as the value of
// AWS_ENDPOINT_URL_LAMBDA.
func (e *Emulator) URL() string { return fmt.Sprintf("http://%s", e.listener.Addr()) }

// Close ends the emulator and kills running invocations.
func (e *Emulator) Close() {
	e.cancel()
	for _, f := range e.functions {
		f.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = e.server.Shutdown(ctx) // the functions were killed, so all waiting clients have received an answer
	e.work.Wait()
}

// Invocations returns the invocations of a function that have ended, in the order in
// which they ended.
func (e *Emulator) Invocations(function string) []Invocation {
	e.mu.Lock()
	defer e.mu.Unlock()
	var of []Invocation
	for _, i := range e.log {
		if i.Function == function {
			of = append(of, i)
		}
	}
	return of
}

// Lost returns the events that are not retried any more, because the function failed in
// every attempt.
func (e *Emulator) Lost() []Invocation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Invocation(nil), e.lost...)
}

// MostAtOnce returns the largest number of concurrent invocations of a function so far.
func (e *Emulator) MostAtOnce(function string) int {
	f := e.functions[function]
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.most
}

func (e *Emulator) record(i Invocation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, i)
}

func (e *Emulator) lose(i Invocation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost = append(e.lost, i)
}

// draw returns a random number from 0 to 1, excluding 1.
func (e *Emulator) draw() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.random.Float64()
}

// sleep waits. It returns false if the emulator is closed first.
func (e *Emulator) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.ctx.Done():
		return false
	}
}
