package client

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"ace/shared/api"
)

const (
	// barSteps is the number of steps of the bar at 100 percent.
	barSteps = 1000
	// lineEvery is the time between two lines of progress if Stderr is no terminal.
	lineEvery = 10 * time.Second
)

// view shows the progress of one task.
type view interface {
	show(t task)
	close() // may be called more than once
}

// newView returns a bar if Stderr is a terminal. Otherwise it returns a view that prints
// lines, or with --json a view that shows nothing.
func (s *session) newView() view {
	switch {
	case s.cmd.Bool(flagJSON) && !s.tty:
		return noView{}
	case s.tty:
		return newBar(s.Stderr)
	}
	return &lineView{out: s.Stderr}
}

// noView shows nothing.
type noView struct{}

func (noView) show(task) {}
func (noView) close()    {}

// lineView prints a line when the phase or the reason for a retry changes, and otherwise
// every ten seconds.
type lineView struct {
	out   io.Writer
	state string
	last  time.Time
}

func (v *lineView) show(t task) {
	state := phaseOf(t) + retryingOf(t)
	if state == "" || state == v.state && time.Since(v.last) < lineEvery {
		return
	}
	v.state, v.last = state, time.Now()
	writeLine(v.out, "%s", strings.TrimRight(phaseOf(t)+": "+figuresOf(t), ": "))
}

func (v *lineView) close() {}

// bar draws a bar with the phase, the rows, the speed and the time that remains.
type bar struct {
	progress *mpb.Progress
	bar      *mpb.Bar
	latest   chan task // holds the latest status
	closed   bool
}

func newBar(out io.Writer) *bar {
	b := &bar{progress: mpb.New(mpb.WithOutput(out), mpb.WithWidth(30), mpb.WithRefreshRate(100*time.Millisecond)), latest: make(chan task, 1)}
	b.latest <- task{}
	text := func(of func(task) string) decor.Decorator {
		return decor.Any(func(decor.Statistics) string {
			t := <-b.latest
			b.latest <- t
			return of(t)
		})
	}
	b.bar = b.progress.AddBar(barSteps, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(text(func(t task) string { return fmt.Sprintf("%-10s ", safe(phaseOf(t))) })),
		mpb.AppendDecorators(text(func(t task) string { return " " + figuresOf(t) })))
	return b
}

func (b *bar) show(t task) {
	if t.Status == "" { // the last request for the status failed
		return
	}
	<-b.latest
	b.latest <- t
	if t.Progress != nil {
		b.bar.SetCurrent(min(int64(t.Progress.Percent*barSteps/100), barSteps-1))
	}
}

// close removes the bar from the screen.
func (b *bar) close() {
	if b.closed {
		return
	}
	b.closed = true
	b.bar.Abort(true)
	b.progress.Wait()
}

// phaseOf returns the phase of a task that has not ended, such as "queued", or "" if it
// is not known.
func phaseOf(t task) string {
	switch {
	case t.Status == api.StatusQueued:
		return "queued"
	case t.Progress != nil && t.Progress.Phase != "":
		return t.Progress.Phase
	case t.Status == api.StatusRunning:
		return "starting"
	}
	return ""
}

// retryingOf returns why a step of a running task is being retried, or "".
func retryingOf(t task) string {
	if t.Progress == nil {
		return ""
	}
	return t.Progress.Retrying
}

// figuresOf returns the figures of a running task in one line, or why it waits.
func figuresOf(t task) string {
	p := t.Progress
	if p == nil {
		return ""
	}
	if p.Retrying != "" {
		return "waiting, because " + safe(p.Retrying)
	}

	figures := []string{fmt.Sprintf("%.0f %%", p.Percent)}
	if p.TablesTotal > 0 {
		figures = append(figures, fmt.Sprintf("%s of %s tables", humanize.Comma(p.TablesDone), humanize.Comma(p.TablesTotal)))
	}
	if p.RowsTotalEstimate > 0 {
		figures = append(figures, fmt.Sprintf("%s of about %s rows", humanize.Comma(p.RowsCompared), humanize.Comma(max(p.RowsTotalEstimate, p.RowsCompared))))
	}
	if p.RowsPerSecond > 0 {
		figures = append(figures, humanize.Comma(int64(p.RowsPerSecond))+" rows/s")
	}
	if p.ETASeconds != nil {
		figures = append(figures, "ETA "+seconds(*p.ETASeconds))
	}
	if p.MismatchedRows > 0 {
		figures = append(figures, humanize.Comma(p.MismatchedRows)+" differ")
	}
	return strings.Join(figures, ", ")
}
