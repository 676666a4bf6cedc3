package pg

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"ace/shared/fault"
	"ace/shared/table"
)

// read calls row, the row handler of a statement, with the values of a result row. A
// handler panics with a runtime error if a compromised server sends too few columns, or
// NULL where the statement returns none. read returns such an error as a fault that names
// the node.
func (n *Node) read(row func(values [][]byte) error, values [][]byte) (err error) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		broken, ok := cause.(runtime.Error)
		if !ok {
			panic(cause) //nolint:forbidigo // not from the answer
		}
		err = n.answerFault(fmt.Errorf("%w\n%s", broken, debug.Stack()))
	}()
	err = row(values)
	if errors.Is(err, table.ErrMore) { // the caller's limit is reached, and the answer is correct
		return err
	}
	if fault.CodeOf(err) == fault.Internal { // the row contradicts the statement
		return n.answerFault(err)
	}
	return err
}

// answerError is an answer that does not fit its statement.
type answerError struct{ error }

func (e *answerError) Unwrap() error { return e.error }

// answerFault returns the fault for an answer that does not fit its statement.
func (n *Node) answerFault(err error) error {
	return fault.Wrap(&answerError{err}, fault.Unavailable, "node %q (%s) sent an answer that does not fit the statement", n.name, n.address)
}
