package apicases

// BadReplicationDiff returns requests about replication-diff that must be refused.
func BadReplicationDiff() []Case {
	const (
		path    = "/ace/replication-diff"
		ready   = "cluster_name=demo"
		kinds   = "; it must be some of cluster, subscription, lag, initial_copy, errors, conflicts, publication, table, slot, origin, loop, settings"
		allowed = "; the parameters are cluster_name, dbname, nodes, max_lag_bytes, max_lag_seconds, confirm_delay, ignore, quiet"
	)
	get := func(name, rawQuery, message string) Case { return getFrom(path, name, rawQuery, message) }
	return []Case{
		get("replication of no cluster", "", "cluster_name is required"),
		get("replication of a path", "cluster_name=../etc", `cluster_name is "../etc"`+allowedCluster),
		get("replication of one node", ready+"&nodes=n1", `nodes is "n1"`+allowedNodes),
		get("replication with a negative lag", ready+"&max_lag_bytes=-1", `max_lag_bytes is "-1"; it must be a whole number from 0 to 1125899906842624`),
		get("replication with a lag in words", ready+"&max_lag_seconds=1h", `max_lag_seconds is "1h"; it must be a whole number from 0 to 604800`),
		get("replication with an unknown kind", ready+"&ignore=slot,slots", `ignore is "slot,slots"`+kinds),
		get("replication of a table", ready+"&table_name=public.t", `unknown parameter "table_name"`+allowed),
	}
}
