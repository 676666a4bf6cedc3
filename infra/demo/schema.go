package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"ace/infra/testbed"
	"ace/shared/api"
	"ace/shared/setfile"
)

// compareSchema compares all tables of a schema and its structure, and prints the
// document.
func compareSchema(ctx context.Context, s *testbed.Service) error {
	say("Comparing a whole schema: the rows of all tables, and the structure")
	status, err := submit(ctx, s, "/ace/schema-diff?cluster_name=demo&schema_name=library")
	if err != nil {
		return err
	}
	var result api.SetResult
	if err := json.Unmarshal(status.Result, &result); err != nil {
		return err
	}
	body, err := s.Get(ctx, "/ace/diffs/"+status.TaskID)
	if err != nil {
		return err
	}
	document, err := setfile.Read(bytes.NewReader(body))
	if err != nil {
		return err
	}

	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, table := range document.Tables {
		fmt.Fprintf(out, "%s\t%s\t%d rows differ\n", table.Table, table.Verdict, table.MismatchedRows)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, f := range document.Structure {
		fmt.Printf("%s: %s %s: %s\n", f.Rank, f.Kind, f.Object, f.Detail)
		for _, node := range slices.Sorted(maps.Keys(f.Fix)) {
			fmt.Printf("    on %s: %s\n", node, f.Fix[node])
		}
	}
	fmt.Printf("%s in %.2f s: %s; the document is %s\n", status.Status, *status.TimeTaken, result.Verdict, result.DiffFile)
	return nil
}
