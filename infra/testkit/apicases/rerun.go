package apicases

import (
	"slices"
)

// BadTableRerun returns requests about table-rerun that must be refused.
func BadTableRerun() []Case {
	const (
		ready   = valid + "&diff_file=" + document
		allowed = "; the parameters are cluster_name, diff_file, table_name, dbname, quiet, behavior, max_cpu_ratio, output, " +
			"max_diff_rows, confirm_delay, checksum, redact"
	)
	get := func(name, rawQuery, message string) Case { return getFrom(tableRerun, name, rawQuery, message) }
	return slices.Concat(diffFiles(tableRerun, valid), []Case{
		get("a rerun without parameters", "", "cluster_name is required; diff_file is required; table_name is required"),
		get("a rerun in an unknown manner", ready+"&behavior=threads",
			`behavior is "threads"; it must be multiprocessing or hostdb`),
		get("a rerun in no manner", ready+"&behavior=", "behavior is given without a value"),
		get("a rerun of some nodes", ready+"&nodes=n1,n2", `unknown parameter "nodes"`+allowed),
		get("a rerun with a filter", ready+"&table_filter=id%3D1", `unknown parameter "table_filter"`+allowed),
		get("a rerun with the British spelling", ready+"&behaviour=hostdb",
			`unknown parameter "behaviour" (did you mean behavior?)`+allowed),
		get("a rerun with a bad delay", ready+"&confirm_delay=soon",
			`confirm_delay is "soon"; it must be a time from 0 to 10m such as 1s, 500ms or 0`),
		get("a rerun with a bad ratio", ready+"&max_cpu_ratio=2",
			`max_cpu_ratio is "2"; it must be a number greater than 0 and at most 1`),
		get("a rerun with a bad checksum", ready+"&checksum=md5", `checksum is "md5"; it must be auto or sha256`),
		{Name: "a rerun by HEAD", Method: "HEAD", Path: tableRerun, RawQuery: ready, Status: 405,
			Error: `method "HEAD" is not supported; use GET, POST`},
	})
}
