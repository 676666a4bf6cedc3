package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/cluster"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/finding"
	"ace/shared/inventory"
	"ace/shared/replication"
	"ace/shared/retry"
	"ace/shared/runner"
	"ace/shared/table"
	"ace/shared/task"
)

// ReplicationReader reads how a node replicates.
type ReplicationReader interface {
	// ReplicationState returns the state of a node, and the identity of its server.
	ReplicationState(ctx context.Context, target cluster.Target) (replication.State, table.Identity, error)
	// ReplicationSets returns a state that has only the server, the publications and the
	// replication sets of a node, and the identity of the server.
	ReplicationSets(ctx context.Context, target cluster.Target) (replication.State, table.Identity, error)
}

// The phases of a replication-diff.
const (
	phaseRead    = "read"
	phaseConfirm = "confirm"
)

// replicationNodesAtOnce bounds the number of nodes that one task reads concurrently.
const replicationNodesAtOnce = 16

// replicationDiff executes a replication-diff task. If a node cannot be read completely,
// the task fails, but its document and result still have the findings about everything
// else.
func (e *Executor) replicationDiff(ctx context.Context, x execution) (runner.Outcome, error) {
	var req api.ReplicationDiffRequest
	if err := readRequest(x.rec, &req); err != nil {
		return runner.Outcome{}, err
	}
	database, targets, err := e.comparedTargets(ctx, x, req.ClusterName, req.DBName, req.Nodes)
	if err != nil {
		return runner.Outcome{}, err
	}

	x.report(task.Progress{Phase: phaseRead})
	nodes, err := e.readReplication(ctx, x, targets)
	if err != nil {
		return runner.Outcome{}, err
	}
	found, nodes, err := e.confirmReplication(ctx, x, req, nodes)
	if err != nil {
		return runner.Outcome{}, err
	}

	document := replicationDocument(x.rec, database, nodes, found)
	stored, err := e.storeReport(ctx, x, document)
	if err != nil {
		return runner.Outcome{}, err
	}
	result, err := json.Marshal(replicationAnswer(document, stored.Key))
	if err != nil {
		return runner.Outcome{}, err
	}
	return runner.Outcome{Result: result, Report: &stored}, unreadError(nodes)
}

// replicationNode is a node with its state, or the error with which it could not be read.
type replicationNode struct {
	target cluster.Target
	state  *replication.State // nil if err is not nil
	server table.Identity
	err    error
}

// unread returns the reason why the node was not read completely, and what to do about
// it. For a node that was read completely, both are "". remedy is also "" if reason
// states what to do.
func (n replicationNode) unread() (reason, remedy string) {
	if n.err != nil {
		return fault.PublicMessage(n.err), inventory.Remedy(n.err)
	}
	for _, u := range n.state.Unknown {
		if u.Incomplete {
			return fmt.Sprintf("node %q: the role may not read %s", n.target.Node, u.What), u.Remedy
		}
	}
	return "", ""
}

// readReplication reads the state of all nodes. It repeats a failed attempt as long as
// the patience of the task allows, and then returns the node with its error.
// readReplication itself fails only if ctx ends, or if two nodes are the same database.
func (e *Executor) readReplication(ctx context.Context, x execution, targets []cluster.Target) ([]replicationNode, error) {
	nodes, err := fanout.Map(ctx, replicationNodesAtOnce, targets, func(ctx context.Context, target cluster.Target) (replicationNode, error) {
		node := replicationNode{target: target}
		node.err = x.patience.Do(ctx, "reading how node "+target.Node+" replicates", func() error {
			state, server, err := e.Replication.ReplicationState(ctx, target)
			node.state, node.server = &state, server
			return err
		})
		if node.err != nil {
			node.state = nil
		}
		return node, context.Cause(ctx)
	})
	if err != nil {
		return nil, err
	}

	var read []*table.Description
	for _, n := range nodes {
		if n.err == nil {
			read = append(read, &table.Description{Node: n.target.Node, Address: n.target.Host, Server: n.server})
		}
	}
	return nodes, table.CheckServers(read)
}

// confirmReplication compares the nodes. If there are findings, it reads the nodes again
// after confirm_delay, and returns the new states and only the findings that still exist.
// So it does not report what soon passes, such as the restart of a worker.
func (e *Executor) confirmReplication(
	ctx context.Context, x execution, req api.ReplicationDiffRequest, nodes []replicationNode,
) ([]finding.Finding, []replicationNode, error) {
	found := compareReplication(req, nodes)
	if len(found) == 0 || req.ConfirmDelay == 0 {
		return found, nodes, nil
	}

	x.report(task.Progress{Phase: phaseConfirm})
	if err := retry.Sleep(ctx, time.Duration(req.ConfirmDelay)); err != nil {
		return nil, nil, err
	}
	var targets []cluster.Target
	for _, n := range nodes {
		if n.err == nil {
			targets = append(targets, n.target)
		}
	}
	again, err := e.readReplication(ctx, x, targets)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range nodes {
		if n.err != nil {
			again = append(again, n)
		}
	}
	return replication.Confirmed(found, compareReplication(req, again)), again, nil
}

func compareReplication(req api.ReplicationDiffRequest, nodes []replicationNode) []finding.Finding {
	options := replication.Options{MaxLagBytes: req.MaxLagBytes, MaxLagSeconds: float64(req.MaxLagSeconds), Ignore: req.Ignore}
	var read []replication.Node
	for _, n := range nodes {
		if reason, _ := n.unread(); reason != "" {
			options.Unread = append(options.Unread, n.target.Node)
		}
		if n.state != nil {
			read = append(read, replication.Node{Name: n.target.Node, State: n.state})
		}
	}
	return replication.Compare(read, options)
}

func replicationDocument(rec task.Record, database string, nodes []replicationNode, found []finding.Finding) replication.Document {
	d := replication.Document{
		Format: replication.Format, Findings: append([]finding.Finding{}, found...), Nodes: map[string]*replication.State{},
		Summary: replication.Summary{
			TaskID: rec.TaskID, ClusterName: rec.ClusterName, DBName: database, Findings: finding.Count(found),
			StartedAt: *rec.StartedAt, FinishedAt: time.Now().UTC().Truncate(time.Millisecond),
		},
	}
	for _, n := range nodes {
		if n.state != nil {
			d.Nodes[n.target.Node] = n.state
		}
		if reason, remedy := n.unread(); reason != "" {
			d.Summary.Unread = append(d.Summary.Unread, replication.Unread{Node: n.target.Node, Error: reason, Remedy: remedy})
		}
	}
	switch {
	case len(found) > 0:
		d.Summary.Verdict = api.VerdictDiffer
	case len(d.Summary.Unread) == 0:
		d.Summary.Verdict = api.VerdictMatch
	}
	return d
}

func replicationAnswer(d replication.Document, key string) api.ReplicationResult {
	answer := api.ReplicationResult{
		Verdict: d.Summary.Verdict, ReportFile: key, Worst: d.Findings[:min(len(d.Findings), api.MaxWorst)],
		Findings: api.ReplicationFindings{
			Broken: d.Summary.Findings[finding.Broken], Behind: d.Summary.Findings[finding.Behind],
			Asymmetric: d.Summary.Findings[finding.Asymmetric], Different: d.Summary.Findings[finding.Different],
		},
	}
	for _, n := range d.Summary.Unread {
		answer.UnreadNodes = append(answer.UnreadNodes, api.UnreadNode{Node: n.Node, Error: n.Error, Remedy: n.Remedy})
	}
	for _, state := range d.Nodes {
		answer.Unknown += len(state.Unknown)
	}
	return answer
}

// unreadError returns an error that names every node which was not read completely, or
// nil if there is no such node. The code is Unavailable, which invites a retry, only if
// every such node was unavailable.
func unreadError(nodes []replicationNode) error {
	code := fault.Unavailable
	var reasons []string
	for _, n := range nodes {
		reason, remedy := n.unread()
		if reason == "" {
			continue
		}
		switch cause := fault.CodeOf(n.err); {
		case n.err == nil:
			code = fault.Conflict // the role lacks a privilege
		case cause != fault.Unavailable:
			code = cause
		}
		if remedy != "" {
			reason += "; " + remedy
		}
		reasons = append(reasons, reason)
	}
	if len(reasons) == 0 {
		return nil
	}
	return fault.New(code, "%s", strings.Join(reasons, "\n"))
}

// storeReport archives content as the report of a task. If an earlier run of the task has
// already stored a report, the key of the new report has the next number.
func (e *Executor) storeReport(ctx context.Context, x execution, content any) (task.Document, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return task.Document{}, fault.Wrap(err, fault.Internal, "the document cannot be encoded")
	}
	for n := 1; ; n++ {
		stored := task.DocumentOf(archive.ReportKey(x.rec.TaskID, x.rec.SubmittedAt, n), body)
		err := x.patience.Do(ctx, "storing the document", func() error {
			_, err := e.Store.PutIfAbsent(ctx, stored.Key, "application/json", body)
			return err
		})
		if !errors.Is(err, archive.ErrPrecondition) {
			return stored, err
		}
	}
}
