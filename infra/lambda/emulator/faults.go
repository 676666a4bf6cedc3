package emulator

import "time"

// Faults configure the faults that are injected into a function. Crash, Timeout, Twice
// and Throttle are each the share of the function's invocations, from 0 to 1, in which
// this fault happens.
type Faults struct {
	Crash    float64 // the process dies before, during or after the work; in the last case the answer is lost
	Timeout  float64 // the process hangs until the time limit kills it
	Twice    float64 // the payload is delivered to two execution environments at once
	Throttle float64 // the invocation is refused
	// Latency is the delay between a client's request and the delivery of the payload to
	// the function. It applies to every invocation.
	Latency time.Duration
	// Within is the longest time from the start of an invocation to its crash or hang.
	Within time.Duration
}

// happens decides at random whether a fault with this share happens.
func (e *Emulator) happens(share float64) bool { return share > 0 && e.draw() < share }

// plannedFault is the fault of one delivery. The zero value means that the delivery has
// no fault.
type plannedFault struct {
	after      time.Duration
	hit        func(*process)
	loseAnswer bool
}

func (f *function) plan() plannedFault {
	after := time.Duration(f.emulator.draw() * float64(f.Faults.Within))
	switch {
	case f.emulator.happens(f.Faults.Crash):
		if f.emulator.happens(0.3) {
			return plannedFault{loseAnswer: true}
		}
		return plannedFault{after: after, hit: (*process).kill}
	case f.emulator.happens(f.Faults.Timeout):
		return plannedFault{after: after, hit: (*process).freeze}
	}
	return plannedFault{}
}

// strike schedules the fault for process. The returned function prevents the fault if it
// has not happened yet.
func (p plannedFault) strike(process *process) (stop func()) {
	if p.hit == nil {
		return func() {}
	}
	timer := time.AfterFunc(p.after, func() { p.hit(process) })
	return func() { timer.Stop() }
}
