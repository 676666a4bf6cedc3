package client

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
)

const (
	firstPoll = 50 * time.Millisecond
	slowPoll  = time.Second
	// patience is how long the server may be unreachable while a command waits for a
	// task.
	patience = 2 * time.Minute
)

// wait waits until the task has ended and shows its progress. If the command is
// interrupted, it asks whether to cancel the task. The error is an ExitError if the task
// goes on.
func (s *session) wait(ctx context.Context, id string) (task, error) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	view := s.newView()
	defer view.close()
	poll := poller{server: s.server, id: id, wait: firstPoll}
	for {
		t, err := poll.next(ctx)
		if err != nil {
			return task{}, err
		}
		if t.hasEnded() {
			view.end(t)
			return t, nil
		}
		view.show(t)

		select {
		case <-ctx.Done():
			return task{}, context.Cause(ctx)
		case <-time.After(poll.wait):
		case sig := <-signals:
			view.close()
			if err := s.interrupted(ctx, id, sig, signals); err != nil {
				return task{}, err
			}
			view = s.newView()
		}
	}
}

// poller asks for the status of a task at growing intervals.
type poller struct {
	server *Server
	id     string
	wait   time.Duration
	failed time.Time // the first of the requests that failed since the last success
}

// next returns the status of the task. While the server cannot be reached, it returns a
// task without a status, up to a limit.
func (p *poller) next(ctx context.Context) (task, error) {
	t, err := p.server.status(ctx, p.id)
	p.wait = min(p.wait*3/2, slowPoll)
	var answered *StatusError
	switch {
	case err == nil:
		p.failed = time.Time{}
		return t, nil
	case ctx.Err() != nil, errors.As(err, &answered) && answered.Status < 500:
		return task{}, err
	}

	if p.failed.IsZero() {
		p.failed = time.Now()
		p.server.note("%s; trying again", fault.PublicMessage(err))
	}
	if time.Since(p.failed) > patience {
		return task{}, err
	}
	p.wait = slowPoll
	return task{}, nil
}

// interrupted handles a signal. It returns nil if the command is to wait on, for the end
// of the cancelled task. A second signal means that the task goes on.
func (s *session) interrupted(ctx context.Context, id string, sig os.Signal, signals <-chan os.Signal) error {
	if sig == os.Interrupt && s.asks {
		answer := make(chan bool, 1)
		s.ask("Cancel task "+id+"? [y/N] ", answer)
		select {
		case yes := <-answer:
			if yes {
				return s.server.cancel(ctx, id)
			}
		case <-signals:
			s.say("")
		}
	}

	if s.local {
		return &ExitError{ExitCancelled, "task " + id + " is not finished: `ace serve` or `ace status --watch " + id + "` resumes it"}
	}
	return &ExitError{ExitCancelled, "task " + id + " goes on; `ace status --watch " + id + "` shows it, `ace cancel " + id + "` cancels it"}
}

// ask prints a question and sends to answer whether the next line of Stdin means yes.
func (s *session) ask(question string, answer chan<- bool) {
	write(s.Stderr, question)
	go func() { // ends with the line, or with the process
		line, err := bufio.NewReader(s.Stdin).ReadString('\n')
		line = strings.ToLower(strings.TrimSpace(line))
		answer <- err == nil && (line == "y" || line == "yes")
	}()
}

// confirmed asks a question and reports whether the answer is yes. An interrupt means no.
func (s *session) confirmed(ctx context.Context, question string) bool {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	answer := make(chan bool, 1)
	s.ask(question, answer)
	select {
	case yes := <-answer:
		return yes
	case <-signals:
		s.say("")
	case <-ctx.Done():
	}
	return false
}

// exitOf returns the exit status of a task that has ended, as an error; nil for status 0.
func exitOf(t task) error {
	switch t.Status {
	case api.StatusCancelled:
		return &ExitError{ExitCancelled, ""}
	case api.StatusFailed:
		return &ExitError{ExitFailed, ""}
	}
	if t.differs() {
		return &ExitError{ExitDiffer, ""}
	}
	return nil
}
