package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"ace/infra/testbed"
	"ace/shared/api"
)

// repair makes the rows that the document lists equal to those of n1 on every other node:
// first in a dry run, then for real.
func repair(ctx context.Context, s *testbed.Service, document string) error {
	path := "/ace/table-repair?" + table + "&diff_file=" + document + "&source_of_truth=n1&generate_report=true"
	say("What a repair with n1 as the source of truth would do, without doing it")
	if err := show(ctx, s, path+"&dry_run=true"); err != nil {
		return err
	}
	say("The repair itself")
	return show(ctx, s, path)
}

func show(ctx context.Context, s *testbed.Service, path string) error {
	status, err := submit(ctx, s, path)
	if err != nil {
		return err
	}
	var result api.RepairResult
	if err := json.Unmarshal(status.Result, &result); err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "NODE\tINSERTED\tUPDATED\tDELETED\tUNCHANGED\tOUTCOME")
	for _, name := range slices.Sorted(maps.Keys(result.Nodes)) {
		n := result.Nodes[name]
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%s\n", name, n.Inserted, n.Updated, n.Deleted, n.Unchanged, n.Outcome)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Printf("%s in %.2f s; every row before and after is in %s\n", status.Status, *status.TimeTaken, result.ReportFile)
	return nil
}
