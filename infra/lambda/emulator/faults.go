package emulator

import "time"

// Faults are the shares of a function's invocations, 0 to 1, that fail in some way. Each
// fault is drawn independently.
type Faults struct {
	Crash    float64 // the process dies: before, during or after the work, whose answer is lost then
	Timeout  float64 // the process hangs until the time limit kills it
	Twice    float64 // the payload is delivered to two execution environments at once
	Throttle float64 // the invocation is refused
	// Latency is how long every invocation is under way before the function gets it.
	Latency time.Duration
	// Within is how long after its start an invocation crashes or hangs at the latest.
	Within time.Duration
}

// happens draws one fault.
func (e *Emulator) happens(share float64) bool { return share > 0 && e.draw() < share }

// plannedFault is the fault of one delivery.
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

// strike schedules the fault. stop prevents it if it has not happened yet.
func (p plannedFault) strike(process *process) (stop func()) {
	if p.hit == nil {
		return func() {}
	}
	timer := time.AfterFunc(p.after, func() { p.hit(process) })
	return func() { timer.Stop() }
}
