package cluster_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/cluster"
	"ace/shared/fault"
)

func TestLoad_FindsTheSameFilesInABucketAsInADirectory(t *testing.T) {
	store := memstore.New(t)
	files := map[string]string{
		"plain.json":         small("plain"),
		"nested/nested.json": small("nested"),
		"both.json":          small("plain"),
		"both/both.json":     small("nested"),
		"other/name.json":    small("hidden"),
		"pg_service.conf":    "[near.n1]\nhost=near\ndbname=d\nuser=u\n[both.n1]\nhost=service\ndbname=d\nuser=u\n",
		"README.md":          "not a cluster",
	}
	for key, content := range files {
		if _, err := store.Put(t.Context(), key, "", []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	inBucket := cluster.NewSource(cluster.Options{Path: "s3://bucket/clusters", Bucket: store})
	inDirectory := cluster.NewSource(cluster.Options{Path: directory(t, files)})
	for name, host := range map[string]string{"plain": "plain", "nested": "nested", "both": "plain", "near": "near"} {
		for place, source := range map[string]cluster.Source{"bucket": inBucket, "directory": inDirectory} {
			c, err := source.Load(t.Context(), name)
			if err != nil || c.Name != name || c.Nodes[0].Host != host {
				t.Errorf("%s: Load(%s) = %+v, %v, want host %s", place, name, c, err, host)
			}
		}
	}
	for place, source := range map[string]cluster.Source{"bucket": inBucket, "directory": inDirectory} {
		_, err := source.Load(t.Context(), "name")
		if want := "there is no cluster name; the defined clusters are both, near, nested, plain"; fault.CodeOf(err) != fault.NotFound || fault.PublicMessage(err) != want {
			t.Errorf("%s: got %v, want %s", place, err, want)
		}
	}
}

// A recent definition is not read again. A cluster that was not found, and a definition
// that could not be read, are.
func TestRecent_LoadsADefinitionOncePerPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faulty.Wrap(memstore.New(t))
		define := func(host string) {
			if _, err := store.Put(t.Context(), "demo.json", "", []byte(small(host))); err != nil {
				t.Fatal(err)
			}
		}
		source := cluster.NewSource(cluster.Options{Path: "s3://bucket/clusters", Bucket: store}).Recent(10 * time.Second)
		load := func(want string) {
			t.Helper()
			c, err := source.Load(t.Context(), "demo")
			switch {
			case want == "" && fault.CodeOf(err) != fault.NotFound:
				t.Errorf("%+v, %v, want none", c, err)
			case want != "" && (err != nil || c.Nodes[0].Host != want):
				t.Errorf("%+v, %v, want the host %s", c, err, want)
			}
		}

		load("")
		define("first")
		load("first")
		define("second")
		reads := store.Count(faulty.Get, "")
		for range 9 {
			load("first")
			time.Sleep(time.Second)
		}
		if n := store.Count(faulty.Get, "") - reads; n > 0 {
			t.Errorf("%d objects were read", n)
		}
		time.Sleep(time.Second)
		load("second")
	})
}

func TestLoad_ReportsWhichObjectIsWrong(t *testing.T) {
	store := memstore.New(t)
	source := cluster.NewSource(cluster.Options{Path: "s3://bucket/clusters", Bucket: store})
	for name, content := range map[string]string{"broken": "{", "huge": strings.Repeat(" ", 4<<20+1)} {
		if _, err := store.Put(t.Context(), name+".json", "", []byte(content)); err != nil {
			t.Fatal(err)
		}
		_, err := source.Load(t.Context(), name)
		if want := "s3://bucket/clusters/" + name + ".json"; fault.CodeOf(err) != fault.Invalid || !strings.HasPrefix(fault.PublicMessage(err), want) {
			t.Errorf("got %v, want something about %s", err, want)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := source.Load(ended, "broken"); err == nil || strings.Contains(err.Error(), archive.ErrNotFound.Error()) {
		t.Errorf("a bucket that does not answer returned %v", err)
	}
}
