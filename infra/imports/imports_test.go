package imports

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "ace"
	root   = "../.." // the module's root, relative to this package
	pgx    = "github.com/jackc/pgx"
	minio  = "github.com/minio/minio-go"
	dirs   = "ace/shared/archive/dirstore"
	lambda = "github.com/aws/aws-lambda-go"
	aws    = "github.com/aws/aws-sdk-go-v2"
	prom   = "github.com/prometheus"
)

// testSupport are the packages that exist for tests, the demo and the benchmark.
func testSupport() []string {
	return []string{
		"testing", "go.uber.org/goleak", "pgregory.net/rapid", "github.com/google/go-cmp", "github.com/chromedp", "github.com/wasilibs/go-pgquery", "github.com/pb33f",
		"ace/shared/archive/storetest", "ace/infra",
	}
}

// rule names packages that the packages at or below some paths must not import, directly
// or indirectly.
type rule struct {
	why   string
	from  []string
	never []string
}

func rules() []rule {
	return []rule{
		{
			"functions stay small: they use a bucket, and a directory belongs to `ace serve`",
			[]string{"ace/functions"},
			[]string{dirs, prom, "ace/local", "ace/infra"},
		},
		{
			"test code is not shipped",
			[]string{"ace/functions", "ace/local"},
			testSupport(),
		},
		{
			"a capability runs against whatever implements its interfaces: it links no technology",
			[]string{"ace/shared/tablediff", "ace/shared/tablediff/worker", "ace/shared/tablerepair", "ace/shared/setdiff", "ace/shared/inventory"},
			[]string{pgx, minio, dirs, lambda, aws, prom, "net/http", "ace/shared/app"},
		},
		{
			"a pure package computes: it opens no connection and reads no file",
			[]string{
				"ace/shared/bitmap", "ace/shared/blockplan", "ace/shared/difffile", "ace/shared/diffkeys", "ace/shared/fanout", "ace/shared/fault", "ace/shared/finding", "ace/shared/retry",
				"ace/shared/caller", "ace/shared/rawtext", "ace/shared/redact", "ace/shared/render", "ace/shared/replication", "ace/shared/resolve", "ace/shared/rowdigest", "ace/shared/rowpairs", "ace/shared/rules", "ace/shared/setfile", "ace/shared/structure", "ace/shared/table",
				"ace/shared/visible",
			},
			[]string{pgx, minio, dirs, lambda, aws, "net", "os", "database/sql", "ace/shared/archive"},
		},
		{
			"the archive's contract and the tasks on it know no S3 client",
			[]string{"ace/shared/task", "ace/shared/part", "ace/shared/diffarchive"},
			[]string{minio, aws, "net/http"},
		},
		{
			"an event is sent through an interface: the outbox does not depend on where it goes",
			[]string{"ace/shared/notify"},
			[]string{pgx, minio, dirs, lambda, "ace/shared/app", "ace/shared/tablediff", "ace/shared/tablerepair", "ace/shared/service"},
		},
		{
			"the contract with the users knows no technology",
			[]string{"ace/shared/api"},
			[]string{pgx, minio, dirs, lambda, aws, "net/http"},
		},
	}
}

func TestImports_NoPackageReachesWhatItMustNotKnow(t *testing.T) {
	g, err := readGraph(root, module)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.why, func(t *testing.T) {
			for _, problem := range r.violations(g) {
				t.Error(problem)
			}
		})
	}
}

// violations returns a message for every forbidden chain of imports, and for every path
// of the rule at which there is no package.
func (r rule) violations(g graph) []string {
	var found []string
	for _, from := range r.from {
		packages := g.packages(from)
		if len(packages) == 0 {
			found = append(found, fmt.Sprintf("the rule speaks of %s, where there is no package", from))
		}
		for _, name := range packages {
			found = append(found, r.forbidden(g, name)...)
		}
	}
	return found
}

func (r rule) forbidden(g graph, name string) []string {
	var found []string
	for reached, chain := range g.reached(name) {
		if slices.ContainsFunc(r.never, func(never string) bool { return matches(reached, never) }) {
			found = append(found, strings.Join(chain, " -> "))
		}
	}
	slices.Sort(found)
	return found
}

// matches reports whether never forbids the import of reached. It also forbids the
// packages below it. Only "os" and "net" do not: os/signal and net/url are allowed.
func matches(reached, never string) bool {
	if never == "os" || never == "net" {
		return reached == never
	}
	return below(reached, never)
}

func TestImports_AnIndirectImportIsFoundWithItsChain(t *testing.T) {
	dir := t.TempDir()
	for name, imports := range map[string]string{
		"functions/a":  "ace/shared/mid",
		"shared/mid":   "ace/local/deep",
		"local/deep":   prom + "/client_golang",
		"functions/ok": "errors",
	} {
		writePackage(t, filepath.Join(dir, name), imports)
	}
	g, err := readGraph(dir, module)
	if err != nil {
		t.Fatal(err)
	}
	r := rule{from: []string{"ace/functions", "ace/gone"}, never: []string{prom}}
	want := []string{
		"ace/functions/a -> ace/shared/mid -> ace/local/deep -> github.com/prometheus/client_golang",
		"the rule speaks of ace/gone, where there is no package",
	}
	if got := r.violations(g); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func writePackage(t *testing.T, dir, imports string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	source := fmt.Sprintf("package x\n\nimport _ %q\n", imports)
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
}
