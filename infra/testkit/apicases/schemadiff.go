package apicases

import "strings"

const (
	schemaDiff = "/ace/schema-diff"
	repsetDiff = "/ace/repset-diff"
)

// BadRepsetDiff returns requests about repset-diff that must be refused.
func BadRepsetDiff() []Case {
	const ready = "cluster_name=demo&repset_name=p"
	get := func(name, rawQuery, message string) Case { return getFrom(repsetDiff, name, rawQuery, message) }
	return []Case{
		get("no replication set", "cluster_name=demo", "repset_name is required"),
		get("a replication set of no cluster", "repset_name=p", "cluster_name is required"),
		get("a replication set with a long name", "cluster_name=demo&repset_name="+strings.Repeat("x", 76), "repset_name has 76 bytes; the maximum is 75"),
		get("a replication set with an empty pattern", ready+"&tables=a,,b", `tables is "a,,b"; it must be names of tables separated by commas, in which * stands for any characters and ? for one, such as orders*,audit.*`),
	}
}

// BadSchemaDiff returns requests about schema-diff that must be refused.
func BadSchemaDiff() []Case {
	const (
		ready    = "cluster_name=demo&schema_name=public"
		schemas  = `; it must be * for all schemas, or names separated by commas, such as public,"My Schema"`
		compare  = "; it must be structure, data or both separated by a comma"
		patterns = "; it must be names of tables separated by commas, in which * stands for any characters and ? for one, such as orders*,audit.*"
		atOnce   = "; it must be a whole number from 1 to 64"
	)
	get := func(name, rawQuery, message string) Case { return getFrom(schemaDiff, name, rawQuery, message) }
	return []Case{
		get("no schema", "cluster_name=demo", "schema_name is required"),
		get("schemas of no cluster", "schema_name=public", "cluster_name is required"),
		get("a pattern as schema", "cluster_name=demo&schema_name=app*", `schema_name is "app*"; the character '*' must be in a double-quoted name, as in "My Schema"."my-table"`+schemas),
		get("a schema twice", "cluster_name=demo&schema_name=a,A", `schema_name names "a" twice`+schemas),
		get("nothing to compare", ready+"&compare=rows", `compare is "rows"`+compare),
		get("the same comparison twice", ready+"&compare=data,data", `compare is "data,data"`+compare),
		get("an empty pattern of tables", ready+"&tables=a,,b", `tables is "a,,b"`+patterns),
		get("a pattern twice", ready+"&skip_tables=a*,a*", `skip_tables names "a*" twice`+patterns),
		get("no table at once", ready+"&max_tables_at_once=0", `max_tables_at_once is "0"`+atOnce),
		get("too many tables at once", ready+"&max_tables_at_once=65", `max_tables_at_once is "65"`+atOnce),
		get("the baseline of one table", ready+"&baseline=td_20240315_123456", `baseline is "td_20240315_123456"; it must be none or last`),
		get("a kind with a capital", ready+"&ignore=Index", `ignore is "Index"; it must be kinds of findings separated by commas, such as index,owner`),
		get("block_rows of no table", ready+"&block_rows=0", `block_rows is "0"; it must be a whole number greater than 0`),
		getFrom(tableRerun, "a rerun of several tables", valid+"&diff_file=sd_20240315_123456",
			`diff_file is "sd_20240315_123456"; this task compared several tables: name the task of one of them, which its document has`),
	}
}
