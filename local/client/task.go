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

// wait shows the progress of a task until the task has ended, and returns its last
// status. After SIGINT it asks the user, if there is a terminal, whether to cancel the
// task. If the user declines, or after SIGTERM, wait returns an ExitError: the command
// must end although the task has not ended.
func (s *session) wait(ctx context.Context, id string) (task, error) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	view := s.newView()
	defer func() { view.close() }() // not "defer view.close()", because view may be replaced below
	poll := poller{server: s.server, id: id, wait: firstPoll}
	for {
		t, err := poll.next(ctx)
		if err != nil {
			return task{}, err
		}
		if t.HasEnded() {
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

// poller requests the status of a task at growing intervals.
type poller struct {
	server *Server
	id     string
	wait   time.Duration
	failed time.Time // time of the first failed request since the last successful one; zero if there is none
}

// next returns the status of the task. While the server cannot be reached or answers with
// a status of 500 or above, next returns the zero task and no error. After more than
// patience without an answer, it returns the error.
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

// interrupted handles the signal sig. If the user answers that the task is to be
// cancelled, it cancels the task and returns nil: the caller must then wait until the
// task has ended. Otherwise, and after a second signal, it returns an ExitError, and the
// task is not cancelled.
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

// ask prints a question, and sends true to answer if the next line of Stdin means yes,
// and false otherwise. It does not wait for the line.
func (s *session) ask(question string, answer chan<- bool) {
	write(s.Stderr, safe(question))
	go func() { // this goroutine ends when it has read a line, or with the process
		line, err := bufio.NewReader(s.Stdin).ReadString('\n')
		line = strings.ToLower(strings.TrimSpace(line))
		answer <- err == nil && (line == "y" || line == "yes")
	}()
}

// confirmed asks a question and reports whether the answer is yes. An interrupt (SIGINT
// or SIGTERM) and the end of the context mean no.
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
