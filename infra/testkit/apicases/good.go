package apicases

// Good returns requests whose parameters must be accepted. Status and Error are not set:
// the answer depends on what the service knows about the cluster demo.
func Good() []Case {
	ok := func(name, path, rawQuery string) Case {
		return Case{Name: name, Method: "GET", Path: path, RawQuery: rawQuery}
	}
	repair := ofRepair + "&diff_file=" + document
	return []Case{
		ok("the least block_rows", tableDiff, valid+"&block_rows=1"),
		ok("few block_rows", tableDiff, valid+"&block_rows=999"),
		ok("many block_rows", tableDiff, valid+"&block_rows=1000001"),
		ok("block_rows beyond 64 bits", tableDiff, valid+"&block_rows=99999999999999999999"),
		ok("a large batch_size", tableDiff, valid+"&batch_size=1001"),
		ok("batch_size beyond 64 bits", tableDiff, valid+"&batch_size=18446744073709551616"),
		ok("a table_filter with WHERE", tableDiff, valid+"&table_filter=where+id%3D1"),
		ok("a table_filter with a comment before WHERE", tableDiff, valid+"&table_filter=/*+a+*/+--+b%0aWHERE(id%3D1)"),
		ok("a comparison with a slash at the end", tableDiff+"/", valid),
		ok("a rerun of a file", tableRerun, valid+"&diff_file=/path/to/diff.json"),
		ok("a repair of a file", tableRepair, ofRepair+"&diff_file=/path/to/diff.json"),
		ok("a rerun with a slash at the end", tableRerun+"/", valid+"&diff_file="+document),
		ok("a repair with a slash at the end", tableRepair+"/", repair),
		ok("all schemas", schemaDiff, "cluster_name=demo&schema_name=*&baseline=last&fail_fast=1"),
		ok("two schemas, with a slash at the end", schemaDiff+"/", "cluster_name=demo&schema_name=public,%22My+Schema%22&compare=data&tables=a*,public.b%3F&max_tables_at_once=64"),
		ok("a publication", repsetDiff, "cluster_name=demo&repset_name=p"),
		ok("a replication set, with a slash at the end", repsetDiff+"/", "cluster_name=demo&repset_name=pglogical:default&compare=structure&tables=a*&fail_fast=1"),
		ok("replication", "/ace/replication-diff", "cluster_name=demo"),
		ok("replication with everything, with a slash at the end", "/ace/replication-diff/",
			"cluster_name=demo&dbname=acedb&nodes=n1,n2&max_lag_bytes=0&max_lag_seconds=604800&confirm_delay=0&ignore=lag,+slot&quiet=true"),
		ok("a cluster", clusterList, "cluster_name=demo"),
		ok("a check of a cluster, with a slash at the end", clusterCheck+"/", "cluster_name=demo"),
		ok("tables", tableList, "cluster_name=demo"),
		ok("tables of a schema, with a slash at the end", tableList+"/", "cluster_name=demo&dbname=acedb&schema=%22My+Schema%22&limit=1000&after=cHVibGljAHVzZXJz"),
		{Name: "a form with a slash at the end", Method: "POST", Path: tableDiff + "/", ContentType: form, Body: valid},
		{Name: "an object with a slash at the end", Method: "POST", Path: tableDiff + "/", ContentType: object,
			Body: validJSON + `"block_rows": 1, "batch_size": 99999999999999999999}`},
	}
}
