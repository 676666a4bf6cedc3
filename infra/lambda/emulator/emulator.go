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

// closeTimeout bounds the end of requests whose functions are gone.
const closeTimeout = 10 * time.Second

// Function is how one function is deployed.
type Function struct {
	Name        string
	Binary      string            // path of its bootstrap
	Env         map[string]string // on top of what Lambda itself sets
	Timeout     time.Duration     // after which an invocation is killed
	Concurrency int               // most invocations at once; 0: 1000
	Faults      Faults
}

// Options of an emulator.
type Options struct {
	Functions []Function
	// RetryDelay is before the first retry of a failed event, and twice that before the
	// second. AWS: a minute.
	RetryDelay time.Duration
	Seed       uint64    // of the faults
	Output     io.Writer // what the functions print
	// Secrets are what Secrets Manager has, by ARN. The functions reach it at the same
	// address.
	Secrets map[string]string
}

// Emulator is a running Lambda service. It must be closed.
type Emulator struct {
	options   Options
	functions map[string]*function
	listener  net.Listener
	server    *http.Server
	ctx       context.Context //nolint:containedctx // the life of the events, which no request bounds
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
	// Init is, for the first invocation of an execution environment, how long its process
	// took to ask for work; Took is from then to the answer.
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
	e.work.Go(func() { _ = e.server.Serve(listener) }) // until Close
	return e, nil
}

// URL is what AWS_ENDPOINT_URL_LAMBDA must be.
func (e *Emulator) URL() string { return fmt.Sprintf("http://%s", e.listener.Addr()) }

// Close ends everything at once, running invocations too.
func (e *Emulator) Close() {
	e.cancel()
	for _, f := range e.functions {
		f.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = e.server.Shutdown(ctx) // every waiting client has its answer by now
	e.work.Wait()
}

// Invocations returns what was delivered to a function so far, in the order of the ends.
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

// Lost returns the events that failed too often.
func (e *Emulator) Lost() []Invocation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Invocation(nil), e.lost...)
}

// MostAtOnce returns how many invocations of a function were under way at the same time
// at most.
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

// draw returns a number from 0 up to 1.
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
