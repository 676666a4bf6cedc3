package pg

import (
	"context"
	"strconv"
	"time"

	"ace/shared/fault"
	"ace/shared/table"
)

// loginTimeout is the time limit of Login, Condition, Abilities and ListTables.
const loginTimeout = 5 * time.Second

// loginSQL returns the server's version, the role that logged in, whether it is a
// superuser, and whether it may read pg_control. The setting "role" may make the session
// use another role after the login, but any function can switch back. So the role counts
// as a superuser if either of the two roles is one.
const loginSQL = `
SELECT current_setting('server_version_num'), current_setting('server_version'), session_user,
       EXISTS (SELECT 1 FROM pg_roles WHERE rolsuper AND rolname IN (session_user, current_user)),
       ` + mayReadControl

// Login connects to the node and returns its server and role. It reads no user table. If
// the connection fails, the error is the one that a task would report. It is also an
// error if the node does not answer within 5 seconds.
func (n *Node) Login(ctx context.Context) (table.Login, error) {
	return inTime(ctx, n, "is unreachable: no answer", n.login)
}

// inTime calls ask, a method of the node, with the time limit loginTimeout. If the limit
// is exceeded, the error names the node and contains problem.
func inTime[T any](ctx context.Context, n *Node, problem string, ask func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()

	answer, err := ask(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = fault.Wrap(err, fault.Unavailable, "node %q (%s) %s within %s", n.name, n.address, problem, loginTimeout)
	}
	return answer, err
}

func (n *Node) login(ctx context.Context) (table.Login, error) {
	login := table.Login{Node: n.name, Address: n.address}
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return login, err
	}
	defer tx.Close()

	const doing = "reading the role"
	var version int
	var control bool
	err = tx.run(ctx, doing, query{sql: loginSQL, row: func(v [][]byte) error {
		login.Version, login.Role = string(v[1]), string(v[2])
		login.Superuser, control = isTrue(v[3]), isTrue(v[4])
		var err error
		version, err = strconv.Atoi(string(v[0]))
		return err
	}})
	if err == nil {
		err = checkVersion(n.name, version)
	}
	if err != nil {
		return login, err
	}

	if control {
		err = tx.call(ctx, doing, table.EndTransaction, tx.controlQuery())
	}

	login.Server = tx.found
	return login, err
}
