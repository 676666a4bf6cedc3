package apicases

import (
	"slices"
	"strings"
)

const (
	ofRepair       = valid + "&source_of_truth=n1"
	allowedTargets = `; it must be "all" or different nodes of the cluster other than source_of_truth, separated by commas`
)

// BadTableRepair returns requests about table-repair that must be refused.
func BadTableRepair() []Case {
	const (
		ready   = ofRepair + "&diff_file=" + document
		allowed = "; the parameters are cluster_name, diff_file, source_of_truth, resolve, rules, missing, max_clock_skew, table_name, dbname, dry_run, quiet, generate_report, generate_sql, " +
			"upsert_only, insert_only, nodes, fire_triggers, allow_cascade, allow_lag, allow_conflict"
	)
	get := func(name, rawQuery, message string) Case { return getFrom(tableRepair, name, rawQuery, message) }
	return slices.Concat(diffFiles(tableRepair, ofRepair), []Case{
		get("a repair without parameters", "",
			"cluster_name is required; diff_file is required; give source_of_truth, the node whose rows are right, or resolve, a rule; table_name is required"),
		get("a repair without a source", valid+"&diff_file="+document, "give source_of_truth, the node whose rows are right, or resolve, a rule"),
		get("a repair with an empty source", valid+"&source_of_truth=&diff_file="+document,
			"source_of_truth is given without a value"),
		get("a repair by an unknown rule", ready+"&resolve=oldest", `resolve is "oldest"; it must be source_of_truth, newest, majority, union, fill_nulls or rules`),
		get("a majority with a source", ready+"&resolve=majority",
			"source_of_truth is only for resolve=source_of_truth and, as the tie-breaker, for resolve=newest and resolve=rules"),
		get("the newest rows without an allowed skew", ready+"&resolve=newest&max_clock_skew=1d", `max_clock_skew is "1d"; it must be a time from 0 to 10m such as 1s, 500ms or 0`),
		get("the newest rows with unknown absence", ready+"&resolve=newest&missing=keep", `missing is "keep"; it must be insert, delete or skip`),
		get("what is missing at the source of truth", ready+"&missing=delete&max_clock_skew=2s", "missing needs resolve=newest or resolve=rules; max_clock_skew needs resolve=newest or resolve=rules"),
		get("rules without a document", valid+"&diff_file="+document+"&resolve=rules", "resolve=rules needs rules, the SHA-256 of a stored rules document, as POST /ace/rules returns it"),
		get("a document without rules", ready+"&rules="+strings.Repeat("a", 64), "rules needs resolve=rules"),
		get("a document that is no SHA-256", ready+"&resolve=rules&rules=orders.yaml", `rules is "orders.yaml"; it must be the SHA-256 of a stored rules document, as POST /ace/rules returns it`),
		get("a rule that only inserts", valid+"&diff_file="+document+"&resolve=majority&insert_only=true", "insert_only needs resolve=source_of_truth; resolve=union only inserts rows"),
		get("a repair that inserts only and updates", ready+"&upsert_only=true&insert_only=yes",
			"insert_only and upsert_only are both true; set only one of them"),
		get("a repair of its own source", ready+"&nodes=n2,n1", `nodes is "n2,n1"`+allowedTargets),
		get("a repair of a node twice", ready+"&nodes=n2,n2", `nodes names "n2" twice`+allowedTargets),
		get("a repair of an empty node", ready+"&nodes=n2,", `nodes is "n2,"`+allowedTargets),
		get("a dry run that is half meant", ready+"&dry_run=maybe", `dry_run is "maybe"; it must be true or false`),
		get("a dry run without a value", ready+"&dry_run=", "dry_run is given without a value"),
		get("a misspelt dry run, which must not write", ready+"&dryrun=true",
			`unknown parameter "dryrun" (did you mean dry_run?)`+allowed),
		get("a dry run in capitals, which must not write", ready+"&DRY_RUN=true",
			`unknown parameter "DRY_RUN" (did you mean dry_run?)`+allowed),
		get("a script of changes that are made", ready+"&generate_sql=true", "generate_sql needs dry_run=true: without it, the changes are made"),
		get("a dry run twice", ready+"&dry_run=true&dry_run=false", "dry_run is given 2 times; give it once"),
		{Name: "a repair by HEAD", Method: "HEAD", Path: tableRepair, RawQuery: ready, Status: 405,
			Error: `method "HEAD" is not supported; use GET, POST`},
	})
}

// BadTableUndo returns requests about table-undo that must be refused.
func BadTableUndo() []Case {
	const (
		ready     = "task_id=tr_20240315_123456"
		allowed   = "; the parameters are task_id, dry_run, quiet, generate_sql, fire_triggers, allow_cascade, allow_lag"
		allowedID = "; it must be the id of a table-repair, such as tr_20240315_123456"
	)
	get := func(name, rawQuery, message string) Case { return getFrom(tableUndo, name, rawQuery, message) }
	return []Case{
		get("an undo without parameters", "", "task_id is required"),
		get("an undo of nothing", "task_id=", "task_id is given without a value"),
		get("an undo of a comparison", "task_id=td_20240315_123456", `task_id is "td_20240315_123456"`+allowedID),
		get("an undo of a path", "task_id=tr_20240315_123456/..", `task_id is "tr_20240315_123456/.."`+allowedID),
		get("an undo of two", ready+"&task_id=tr_20240315_123457", "task_id is given 2 times; give it once"),
		get("an undo with a misspelt dry run", ready+"&dry-run=true", `unknown parameter "dry-run" (did you mean dry_run?)`+allowed),
		get("a script of an undo that is done", ready+"&generate_sql=true", "generate_sql needs dry_run=true: without it, the changes are made"),
		get("an undo of a table", ready+"&table_name=public.users", `unknown parameter "table_name"`+allowed),
		{Name: "an undo by HEAD", Method: "HEAD", Path: tableUndo, RawQuery: ready, Status: 405,
			Error: `method "HEAD" is not supported; use GET, POST`},
	}
}
