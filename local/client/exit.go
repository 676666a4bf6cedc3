package client

import (
	"errors"
	"net/http"

	"ace/shared/fault"
)

// The exit statuses of the commands.
const (
	ExitOK        = 0 // the table matches, or the task did what was asked
	ExitDiffer    = 1 // the comparison found differences
	ExitFailed    = 2 // the task failed, or the command was used wrongly
	ExitCancelled = 3 // the task was cancelled, the user did not confirm it, or the command did not wait for its end
)

// ExitError ends the program with an exit status. Its message is empty if the output of
// the command already shows the reason.
type ExitError struct {
	Status  int
	Message string
}

// Error returns the message.
func (e *ExitError) Error() string { return e.Message }

// asExit converts the error of a command to an ExitError.
func asExit(err error) error {
	var exit *ExitError
	var answered *StatusError
	switch {
	case err == nil || errors.As(err, &exit):
		return err
	case errors.As(err, &answered):
		return &ExitError{ExitFailed, answered.Message + hint(answered)}
	}
	return &ExitError{ExitFailed, fault.PublicMessage(err)}
}

// hint returns what the user can do about an error that the server answered, or "".
func hint(e *StatusError) string {
	if e.Status == http.StatusUnauthorized {
		return " (set ACE_TOKEN_FILE to the file with the server's token)"
	}
	return ""
}
