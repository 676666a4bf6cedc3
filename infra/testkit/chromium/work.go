package chromium

import "testing"

const (
	usualWork   = 100 // how long fixedWork takes on an idle machine with 2 cores, in milliseconds
	maxSlowdown = 5
)

// fixedWork is an expression that does a fixed amount of the work of a page and returns
// how long it took in milliseconds: it compares 100,000 strings, lays out a table of
// 2,000 cells and waits for a frame.
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

// Measured is a measurement, and what it may be on a machine as busy as this one.
type Measured struct{ Took, Allowed float64 }

// Measure calls measure, whose limit on an idle machine with 2 cores is limit. The limit
// grows with the time of a fixed amount of work in another tab, idle, before and after
// the measurement, and with further slowdowns that the caller has measured. It grows up
// to five times. So it is a limit of the page and not of what else runs on the machine.
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
