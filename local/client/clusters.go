package client

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"ace/shared/api"
)

// maxClockDifference is the difference of two clocks, in seconds, beyond which there is a
// warning.
const maxClockDifference = 1

// clusters runs `ace clusters [CLUSTER]`.
func clusters(ctx context.Context, s *session) error {
	var list api.ClusterList
	done, err := s.aboutCluster(ctx, api.RouteClusters, &list)
	if done || err != nil {
		return err
	}

	rows := s.newTable("cluster", "databases", "node", "address")
	for _, cluster := range list.Clusters {
		var databases []string
		for _, database := range cluster.Databases {
			databases = append(databases, database.DBName)
		}
		for _, node := range cluster.Nodes {
			address := net.JoinHostPort(node.Host, strconv.Itoa(node.Port))
			rows.AppendRow(table.Row{safe(cluster.ClusterName), safe(strings.Join(databases, ", ")), safe(node.Node), safe(address)})
		}
		for _, node := range cluster.InactiveNodes {
			rows.AppendRow(table.Row{safe(cluster.ClusterName), safe(strings.Join(databases, ", ")), safe(node), "not active"})
		}
	}
	rows.Render()

	for _, cluster := range list.Clusters {
		if cluster.Error != "" {
			s.printError("cluster " + cluster.ClusterName + ": " + cluster.Error)
		}
		s.printWarnings(cluster.Warnings)
	}
	s.noteNone(len(list.Clusters), "cluster")
	return nil
}

// checkClusters runs `ace clusters check [CLUSTER]`. The exit status is ExitFailed if a
// node or a definition cannot be used.
func checkClusters(ctx context.Context, s *session) error {
	var list api.ClusterCheckList
	raw, err := s.getAboutCluster(ctx, api.RouteClusterCheck)
	if err == nil {
		err = decode(raw, string(api.RouteClusterCheck), &list)
	}
	if err != nil {
		return err
	}

	if s.cmd.Bool(flagJSON) {
		writeJSON(s.Stdout, raw)
	} else {
		s.printChecks(list)
	}
	for _, cluster := range list.Clusters {
		if !isUsable(cluster) {
			return &ExitError{Status: ExitFailed}
		}
	}
	return nil
}

// isUsable reports whether all nodes of a cluster can be used.
func isUsable(cluster api.ClusterCheck) bool {
	for _, node := range cluster.Nodes {
		if !node.Usable {
			return false
		}
	}
	return cluster.Error == ""
}

func (s *session) printChecks(list api.ClusterCheckList) {
	rows := s.newTable("cluster", "node", "database", "state", "PostgreSQL", "role", "repairs", "clock", "commit timestamps")
	for _, cluster := range list.Clusters {
		for _, node := range cluster.Nodes {
			row := table.Row{safe(cluster.ClusterName), safe(node.Node), safe(node.DBName), s.stateOf(node)}
			rows.AppendRow(append(row, serverCells(node.Server)...))
		}
	}
	rows.SetColumnConfigs(numbers(8))
	rows.Render()

	for _, cluster := range list.Clusters {
		if cluster.Error != "" {
			s.printError("cluster " + cluster.ClusterName + ": " + cluster.Error)
		}
		for _, node := range cluster.Nodes {
			s.printCheck(node)
		}
	}
	s.noteNone(len(list.Clusters), "cluster")
}

// stateOf returns the text for the state of a node: "not usable" or "ok", in color, or
// "standby".
func (s *session) stateOf(node api.NodeCheck) string {
	switch {
	case !node.Usable:
		return s.paint("not usable", text.FgRed)
	case node.Server != nil && node.Server.InRecovery:
		return "standby"
	}
	return s.paint("ok", text.FgGreen)
}

// serverCells returns the cells that describe the server of a node, which are empty if
// the node did not answer.
func serverCells(server *api.NodeServer) table.Row {
	if server == nil {
		return table.Row{"", "", "", "", ""}
	}
	role, repairs, commitTimestamps := server.Role, "yes", "off"
	if server.Superuser {
		role += " (superuser)"
	}
	if !server.CanRepair {
		repairs = "no"
	}
	if server.TrackCommitTimestamp {
		commitTimestamps = "on"
	}
	return table.Row{safe(server.Version), safe(role), repairs, fmt.Sprintf("%+.3f s", float64(server.ClockDifference)), commitTimestamps}
}

// printCheck prints what is wrong with a node, and what to do.
func (s *session) printCheck(node api.NodeCheck) {
	name := node.Node + ", " + node.DBName
	if node.Error != "" {
		s.printError(node.Error)
	}
	if node.Remedy != "" {
		writeLine(s.Stdout, "  %s", node.Remedy)
	}
	if node.Server == nil {
		return
	}
	for _, obstacle := range node.Server.RepairObstacles {
		writeLine(s.Stdout, "%s: cannot be repaired: %s", name, obstacle)
	}
	difference, within := float64(node.Server.ClockDifference), float64(node.Server.ClockError)
	if max(difference, -difference)-within > maxClockDifference {
		s.printWarnings([]string{fmt.Sprintf("%s: its clock differs by %+.1f s from that of the service: synchronise the clocks", name, difference)})
	}
}

// printError prints what is wrong with a cluster or a node.
func (s *session) printError(problem string) {
	write(s.Stdout, s.paint("error: ", text.FgRed)+safe(problem)+"\n")
}

// noteNone prints a line for people if the list of a command is empty.
func (s *session) noteNone(count int, noun string) {
	if count == 0 {
		s.say("There is no %s.", noun)
	}
}

// aboutCluster is like list for a route whose only parameter is the cluster that an
// argument may name.
func (s *session) aboutCluster(ctx context.Context, route api.Route, into any) (done bool, err error) {
	raw, err := s.getAboutCluster(ctx, route)
	if err != nil {
		return false, err
	}
	return s.printJSON(route, raw, into)
}

func (s *session) getAboutCluster(ctx context.Context, route api.Route) ([]byte, error) {
	args, err := s.args(0, 1, "at most one argument, the name of a cluster")
	if err != nil {
		return nil, err
	}
	params := url.Values{}
	if len(args) > 0 {
		params.Set("cluster_name", args[0])
	}
	return s.server.get(ctx, string(route), params)
}
