package pg

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"ace/shared/fault"
)

// read calls the row handler of a statement. A row handler relies on the columns of its
// statement, but a compromised server may send any number of them, and NULL where there
// can be none. The runtime error that follows ends the statement, and names the node.
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
	if fault.CodeOf(err) == fault.Internal { // the row contradicts the statement
		return n.answerFault(err)
	}
	return err
}

// answerFault returns the fault for an answer that the statement cannot have.
func (n *Node) answerFault(err error) error {
	return fault.Wrap(err, fault.Unavailable, "node %q (%s) sent an answer that does not fit the statement", n.name, n.address)
}
