package chromium

import "testing"

const (
	usualWork   = 100 // how long fixedWork takes on an idle machine with 2 cores, in milliseconds
	maxSlowdown = 5
)

// fixedWork is an expression that does a fixed amount of work of the kind that a page
// does, and returns the time that this took in milliseconds. It searches 100,000 strings,
// lays out a table of 2,000 cells and waits for a frame.
const fixedWork = `(async () => {
	const start = performance.now();
	const texts = Array.from({ length: 100000 }, (_, i) => "row " + (i * 7919 % 100003));
	texts.filter((text) => text.includes("99")).sort();
	const table = document.body.appendChild(document.createElement("table"));
	for (let i = 0; i < 200; i++) {
		const row = table.insertRow();
		for (let j = 0; j < 10; j++) row.insertCell().textContent = texts[i * 10 + j];
	}
	table.getBoundingClientRect();
	table.remove();
	await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
	return performance.now() - start;
})()`

// Measured is the result of a measurement. Allowed is its limit on a machine that is as
// busy as this one was during the measurement.
type Measured struct{ Took, Allowed float64 }

// Measure calls measure and returns its result, and the limit for it. limit is the limit
// on an idle machine with 2 cores. Before and after the measurement, Measure does a fixed
// amount of work (fixedWork) in the tab idle, to find out how busy this machine is. The
// limit grows with the time of this work, or with the largest slowdown that a function in
// further returns. It grows to at most maxSlowdown times limit. So other programs on the
// machine do not make a page exceed its limit.
func Measure(t testing.TB, idle *Tab, limit float64, measure func() float64, further ...func() float64) Measured {
	t.Helper()
	before := Eval[float64](t, idle, fixedWork)
	took := measure()
	work := (before + Eval[float64](t, idle, fixedWork)) / 2

	slowdown := max(1, work/usualWork)
	for _, measured := range further {
		slowdown = max(slowdown, measured())
	}
	return Measured{took, limit * min(slowdown, maxSlowdown)}
}
