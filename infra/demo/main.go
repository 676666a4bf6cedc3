// Command demo shows the product on this machine: it starts three throw-away PostgreSQL
// nodes and `ace serve`, loads a table and makes the nodes differ. Through the API it
// compares the nodes, shows the differences, repairs them and compares again. Then it
// compares a whole schema. At the end it removes everything. With KEEP=1 the service and
// the nodes run until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ace/infra/testbed"
)

const (
	nodeCount      = 3
	defaultAddress = "127.0.0.1:5000" // of ACE_LISTEN
)

// next is the text that states what a user can do after the demo.
const next = `
To try next:
  make demo KEEP=1             the same, but the service and the nodes stay up for requests of your own
  make build && bin/ace serve  the service for your own cluster; README.md has the first request
  docs/API.md                  every request and its parameters
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv("KEEP") == "1"); err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		os.Exit(1) //nolint:gocritic // everything that the run started has ended
	}
}

func run(ctx context.Context, keep bool) (err error) {
	began := time.Now()
	dir, err := os.MkdirTemp("", "ace-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	say("Building `ace` (./local): about two minutes the first time, then seconds")
	binary, err := testbed.Build(ctx, dir)
	if err != nil {
		return err
	}

	say("Starting three PostgreSQL nodes and loading 200,000 customers on each")
	nodes, err := testbed.StartNodes(ctx, nodeCount, nil)
	defer func() { err = errors.Join(err, nodes.Close()) }()
	if err != nil {
		return err
	}
	for _, file := range []string{"testdata/demo/customers.sql", "testdata/demo/library.sql"} {
		if _, err := nodes.All(ctx, "-f", file); err != nil {
			return err
		}
	}

	say("Making them differ: 4 rows on n2 (testdata/demo/drift-n2.sql), 1 on n3 (drift-n3.sql), a schema (drift-library.sql)")
	if err := drift(ctx, nodes); err != nil {
		return err
	}

	say("Starting `ace serve`: the API, and its archive in " + dir)
	service, err := start(ctx, binary, nodes, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()

	if err := walk(ctx, service); err != nil {
		return err
	}
	say(fmt.Sprintf("Done in %.1f s", time.Since(began).Seconds()))
	if keep {
		return wait(ctx, service, nodes)
	}
	fmt.Print(next)
	return nil
}

// walk shows every step from the first comparison to the proof that the nodes are equal
// again, and the comparison of a schema.
func walk(ctx context.Context, s *testbed.Service) error {
	document, err := compare(ctx, s)
	if err != nil {
		return err
	}
	say("Comparing only these rows again: replication has not made up for them")
	if err := rerun(ctx, s, document); err != nil {
		return err
	}
	if err := repair(ctx, s, document); err != nil {
		return err
	}
	say("And once more: nothing differs now")
	if err := rerun(ctx, s, document); err != nil {
		return err
	}
	return compareSchema(ctx, s)
}

// drift makes the nodes differ.
func drift(ctx context.Context, nodes *testbed.Nodes) error {
	for node, file := range map[int]string{1: "testdata/demo/drift-n2.sql", 2: "testdata/demo/drift-n3.sql"} {
		if _, err := nodes.One(ctx, node, "-f", file); err != nil {
			return err
		}
	}
	_, err := nodes.One(ctx, 1, "-f", "testdata/demo/drift-library.sql")
	return err
}

// start starts the service with the nodes as its cluster.
func start(ctx context.Context, binary string, nodes *testbed.Nodes, dir string) (*testbed.Service, error) {
	if err := testbed.Define(testbed.Clusters(dir), "demo", nodes.Ports()); err != nil {
		return nil, err
	}
	address, err := testbed.FreeAddress(ctx, defaultAddress)
	if err != nil {
		return nil, err
	}
	return testbed.StartService(ctx, binary, dir, testbed.Place{Address: address})
}

// wait keeps the service and the nodes running until Ctrl-C.
func wait(ctx context.Context, s *testbed.Service, nodes *testbed.Nodes) error {
	say("KEEP=1: the service stays up until Ctrl-C. To try:")
	fmt.Printf("  curl '%s/ace/tasks'\n", s.URL)
	fmt.Printf("  curl '%s/ace/table-diff?cluster_name=demo&table_name=public.customers&nodes=n1,n3'\n", s.URL)
	for i, port := range nodes.Ports() {
		fmt.Printf("  psql -h 127.0.0.1 -p %d -U postgres shop     # n%d\n", port, i+1)
	}
	<-ctx.Done()
	return nil
}

// say prints the heading of a step.
func say(text string) { fmt.Println("\n== " + text) }
