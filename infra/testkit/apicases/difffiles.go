package apicases

const (
	document = "diffs/2024-03-15/td_20240315_123456.json"
	imported = "imports/6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b.json"

	allowedDiffFile = "; it must be a task id, or the diff_file of a task's result or an import, such as " +
		"diffs/2024-03-15/td_20240315_123456.json, also as s3://bucket/key of the archive"
	importFirst = "; relative paths and URLs are not read: POST the document to /ace/diffs and use the diff_file of the answer"
)

// diffFiles returns requests whose diff_file is not a diff document of the archive.
// before is a request that lacks only diff_file.
func diffFiles(path, before string) []Case {
	of := func(name, value, shown, message string) Case {
		return getFrom(path, name, before+"&diff_file="+value, "diff_file is "+shown+message)
	}
	return []Case{
		getFrom(path, "diff_file is missing", before, "diff_file is required"),
		getFrom(path, "diff_file is empty", before+"&diff_file=", "diff_file is given without a value"),
		getFrom(path, "diff_file is there twice", before+"&diff_file="+document+"&diff_file="+imported,
			"diff_file is given 2 times; give it once"),
		of("a relative path", "diffs/public_users.json", `"diffs/public_users.json"`, importFirst),
		of("a file name", "public_users_diffs.json", `"public_users_diffs.json"`, importFirst),
		of("a file name in capitals", "DIFF.JSON", `"DIFF.JSON"`, importFirst),
		of("a path that climbs", "../../etc/passwd", `"../../etc/passwd"`, importFirst),
		of("a key that climbs", "diffs/2024-03-15/../../tasks/td_20240315_123456/task.json",
			`"diffs/2024-03-15/../../tasks/td_20240315_123456/task.json"`, importFirst),
		of("a Windows path", `C:%5Cdiff.json`, `"C:\\diff.json"`, importFirst),
		of("a path from home", "~/diff", `"~/diff"`, importFirst),
		of("a file URL", "file:///tmp/diff.json", `"file:///tmp/diff.json"`, importFirst),
		of("a web address", "https://example.org/diff.json", `"https://example.org/diff.json"`, importFirst),
		of("another object of the archive", "tasks/td_20240315_123456/plan.json", `"tasks/td_20240315_123456/plan.json"`, importFirst),
		of("a key of an unknown format", "diffs/2024-03-15/td_20240315_123456.xml",
			`"diffs/2024-03-15/td_20240315_123456.xml"`, importFirst),
		of("a key with a line after it", document+"%0a", `"`+document+`\n"`, importFirst),
		of("a broken task id", "td_20240315", `"td_20240315"`, allowedDiffFile),
		of("a word", "latest", `"latest"`, allowedDiffFile),
		of("s3 without a key", "s3://bucket", `"s3://bucket"`, allowedDiffFile),
		of("s3 without a bucket", "s3:///"+document, `"s3:///`+document+`"`, allowedDiffFile),
		of("s3 with a key of something else", "s3://bucket/tasks/td_20240315_123456/task.json",
			`"s3://bucket/tasks/td_20240315_123456/task.json"`, allowedDiffFile),
		of("s3 with a query", "s3://bucket/"+document+"%3Fv=1", `"s3://bucket/`+document+`?v=1"`, allowedDiffFile),
		getFrom(path, "diff_file with a NUL", before+"&diff_file=td_%00",
			"diff_file contains a NUL character, which PostgreSQL does not allow"),
	}
}
