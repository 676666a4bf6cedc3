package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report has the figures, and what must not have happened.
type report struct {
	log      func(format string, args ...any)
	lines    [][2]string
	findings []string
}

// add adds a line to the table.
func (r *report) add(what, format string, args ...any) {
	line := [2]string{what, fmt.Sprintf(format, args...)}
	r.lines = append(r.lines, line)
	r.log("  %s: %s", line[0], line[1])
}

func (r *report) found(format string, args ...any) {
	r.findings = append(r.findings, fmt.Sprintf(format, args...))
	r.log("  FOUND "+format, args...)
}

// String returns the table in Markdown, and the findings.
func (r *report) String() string {
	var b strings.Builder
	b.WriteString("| what | measured |\n|---|---|\n")
	for _, line := range r.lines {
		fmt.Fprintf(&b, "| %s | %s |\n", line[0], line[1])
	}
	for _, f := range r.findings {
		b.WriteString("\nFOUND: " + f + "\n")
	}
	return b.String()
}

// latencies are the durations of requests.
type latencies []time.Duration

// String returns the quantiles that the documentation states.
func (l latencies) String() string {
	if len(l) == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %s, p99 %s, longest %s (of %d)", short(l.quantile(0.5)), short(l.quantile(0.99)), short(slices.Max(l)), len(l))
}

func (l latencies) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// short returns a duration with two or three digits.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
