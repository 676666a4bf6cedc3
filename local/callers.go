package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/fault"
)

// auditEvery is the time between two deletions of old entries of the audit log.
const auditEvery = 24 * time.Hour

// retainAudit deletes the entries of the audit log that are older than days, at the start
// and once a day, until the context ends. If days is 0, it deletes none.
func (s *service) retainAudit(ctx context.Context, days int) {
	if days == 0 {
		return
	}
	expire := func() {
		n, err := s.app.Audit().Expire(ctx, time.Now().AddDate(0, 0, -days))
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.WarnContext(ctx, "old entries of the audit log not deleted; that is tried again", "error", err)
		case n > 0:
			s.log.InfoContext(ctx, "old entries of the audit log deleted", "entries", n)
		}
	}
	expire()
	every(ctx, auditEvery, expire)
}

const (
	flagRights   = "rights"
	flagClusters = "clusters"
)

// callersCommand returns `ace callers`, whose commands help to write a callers file.
func callersCommand() *cli.Command {
	return &cli.Command{
		Name: "callers", Usage: "make tokens for the callers of a service", OnUsageError: badUsage, Action: noCommand,
		Commands: []*cli.Command{{
			Name: "token", Usage: "print a new token, and the line of the callers file that accepts it", ArgsUsage: "NAME", OnUsageError: badUsage,
			Flags: []cli.Flag{
				&cli.StringFlag{Name: flagRights, Value: string(api.RightRead), Usage: "what the caller may do: read, compare and repair, separated by commas"},
				&cli.StringFlag{Name: flagClusters, Value: caller.AllClusters, Usage: "the clusters that the caller may use, separated by commas; * means all"},
			},
			Action: newToken,
		}},
	}
}

// newToken runs `ace callers token NAME`. It prints the token to the standard output and
// the line to the standard error, so that the token can be written to a file.
func newToken(_ context.Context, cmd *cli.Command) error {
	if cmd.Args().Len() != 1 {
		return fault.New(fault.Invalid, "ace callers token needs NAME, the name of the caller; see ace callers token --help")
	}
	rights, ok := caller.ParseRights(cmd.String(flagRights))
	if !ok {
		return fault.New(fault.Invalid, "--rights is %q; it must be read, compare and repair, separated by commas", cmd.String(flagRights))
	}
	token := caller.NewToken()
	line := caller.Line(caller.Caller{Name: cmd.Args().First(), Rights: rights, Clusters: strings.Split(cmd.String(flagClusters), ",")}, token)
	if _, err := caller.Parse("the line of the caller", []byte("callers:\n"+line+"\n")); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Add this line to the callers file (ACE_CALLERS), and send SIGHUP to the service:\n\n%s\n\nThe token is shown only now. Give it to the caller:\n\n", line)
	_, err := fmt.Fprintln(os.Stdout, token)
	return err
}
