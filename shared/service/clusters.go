package service

import (
	"context"
	"slices"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/cluster"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/inventory"
)

// clustersAtOnce bounds the number of clusters that one request checks concurrently.
const clustersAtOnce = 16

// ListClusters returns the cluster definitions without their secrets.
func (s *Service) ListClusters(ctx context.Context, req api.ClustersRequest) (api.ClusterList, error) {
	found, err := s.loadClusters(ctx, req.ClusterName)
	if err != nil {
		return api.ClusterList{}, err
	}

	list := api.ClusterList{Clusters: make([]api.Cluster, 0, len(found))}
	for _, one := range found {
		if one.problem != "" {
			list.Clusters = append(list.Clusters, api.Cluster{ClusterName: one.name, Error: one.problem})
			continue
		}
		list.Clusters = append(list.Clusters, clusterAnswer(one.definition))
	}
	return list, nil
}

// CheckClusters connects to every node of the clusters. A definition that cannot be used
// and a node that cannot be reached are part of the answer, not an error.
func (s *Service) CheckClusters(ctx context.Context, req api.ClusterCheckRequest) (api.ClusterCheckList, error) {
	found, err := s.loadClusters(ctx, req.ClusterName)
	if err != nil {
		return api.ClusterCheckList{}, err
	}

	checks, err := fanout.Map(ctx, clustersAtOnce, found, func(ctx context.Context, one loadedCluster) (api.ClusterCheck, error) {
		answer := api.ClusterCheck{ClusterName: one.name, Error: one.problem}
		if one.problem != "" {
			return answer, nil
		}
		nodes, err := s.Nodes.Probe(ctx, one.definition)
		for _, node := range nodes {
			answer.Nodes = append(answer.Nodes, nodeCheckAnswer(node))
		}
		return answer, err
	})
	return api.ClusterCheckList{Clusters: checks}, err
}

// loadedCluster is a definition, or the reason why it cannot be used.
type loadedCluster struct {
	name       string
	definition cluster.Cluster
	problem    string
}

// loadClusters loads the definition of a cluster, or all definitions if name is "". A
// definition that cannot be used is not an error: its problem is in the result.
func (s *Service) loadClusters(ctx context.Context, name string) ([]loadedCluster, error) {
	names := []string{name}
	if name == "" {
		var err error
		if names, err = s.Clusters.Names(ctx); err != nil {
			return nil, err
		}
		by := caller.Of(ctx)
		names = slices.DeleteFunc(slices.Clone(names), func(one string) bool { return !by.Sees(one) })
	}

	found := make([]loadedCluster, 0, len(names))
	for _, one := range names {
		definition, err := s.cluster(ctx, one)
		if err != nil && (name != "" && fault.CodeOf(err) != fault.Invalid || ctx.Err() != nil) {
			return nil, err
		}
		loaded := loadedCluster{name: one, definition: definition}
		if err != nil {
			loaded.problem = fault.PublicMessage(err)
		}
		found = append(found, loaded)
	}
	return found, nil
}

func clusterAnswer(c cluster.Cluster) api.Cluster {
	answer := api.Cluster{ClusterName: c.Name, InactiveNodes: c.Inactive, Warnings: c.Warnings}
	for _, database := range c.Databases {
		answer.Databases = append(answer.Databases, api.ClusterDatabase{DBName: database.Name, Options: cluster.PublicOptions(database.Options)})
	}
	for _, node := range c.Nodes {
		answer.Nodes = append(answer.Nodes, api.ClusterNode{
			Node: node.Name, Host: node.Host, Port: int(node.Port), DBName: node.Database, Options: cluster.PublicOptions(node.Options),
		})
	}
	return answer
}

func nodeCheckAnswer(check inventory.NodeCheck) api.NodeCheck {
	answer := api.NodeCheck{Node: check.Login.Node, DBName: check.Database, Address: check.Login.Address, Usable: true}
	err := check.Err
	if err == nil {
		err = check.UnreadErr
	}
	if err != nil {
		answer.Usable, answer.Error, answer.Remedy = false, fault.PublicMessage(err), inventory.Remedy(err)
	}
	if can := check.Abilities; can.Role != "" {
		obstacles := can.RepairObstacles()
		answer.Server = &api.NodeServer{
			Version: check.Login.Version, Role: check.Login.Role, Superuser: check.Login.Superuser,
			CanRepair: len(obstacles) == 0, RepairObstacles: obstacles,
			InRecovery: can.Standby, TrackCommitTimestamp: can.CommitTimestamps,
			ClockDifference: api.Seconds(can.ClockSkew.Seconds()), ClockError: api.Seconds(can.ClockError.Seconds()),
		}
	}
	return answer
}
