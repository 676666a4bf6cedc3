package emulator

import "time"

const (
	eventAttempts = 3 // the first attempt and two retries, as on AWS
	// busyDelay is the wait before the retry of an event that was refused with 429, for
	// example because of the concurrency limit. On AWS it begins with a second and grows
	// to 5 minutes.
	busyDelay = 50 * time.Millisecond
)

// deliver delivers an event until the function accepts it or has failed too often.
func (e *Emulator) deliver(f *function, payload []byte) {
	delay := e.options.RetryDelay
	for attempt := 1; ; {
		o := f.handle(payload)
		switch {
		case o.throttled:
			if !e.sleep(busyDelay) {
				return
			}
			continue
		case !o.failed:
			return
		case attempt == eventAttempts:
			e.lose(Invocation{Function: f.Name, Payload: string(payload), Error: string(o.body)})
			return
		}
		attempt++
		if !e.sleep(delay) {
			return
		}
		delay *= 2
	}
}
