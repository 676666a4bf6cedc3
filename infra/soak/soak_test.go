package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindTests_FindsPropertiesAndFuzzTargetsOfEachPackage(t *testing.T) {
	dir := t.TempDir()
	for name, source := range map[string]string{
		"a/x_test.go": `package a
func TestPlain(t *testing.T) { rapid.Custom(nil); other.Check(nil) }
func TestProperty(t *testing.T) { t.Run("x", func(t *testing.T) { rapid.Check(t, nil) }) }
func (s suite) TestMethod() { rapid.Check(nil, nil) }
func check(t *testing.T) { rapid.Check(t, nil) }`,
		"a/y_test.go":             "package a_test\nfunc FuzzIt(f *testing.F) {}",
		"a/z.go":                  "package a\nfunc FuzzNot() {}",
		"b/c/plain_test.go":       "package c\nfunc TestPlain(t *testing.T) {}",
		"b/d/fuzz_test.go":        "package d\nfunc FuzzThis(f *testing.F) {}",
		"b/testdata/fuzz_test.go": "package e\nfunc FuzzThat(f *testing.F) {}",
		".cache/fuzz_test.go":     "package f\nfunc FuzzThat(f *testing.F) {}",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := findTests(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []testPackage{
		{dir: filepath.Join(dir, "a"), properties: []string{"TestProperty"}, fuzz: []string{"FuzzIt"}},
		{dir: filepath.Join(dir, "b/d"), fuzz: []string{"FuzzThis"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(testPackage{})); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestOutcome_CollectsWhatTestsReportAndFuzzersCount(t *testing.T) {
	const output = `{"Action":"start","Package":"ace/shared/app"}
{"Action":"attr","Test":"TestIt/by_two_columns","Key":"soak","Value":"3 steps"}
{"Action":"attr","Test":"TestIt","Key":"soak","Value":"1 run"}
{"Action":"attr","Test":"TestIt","Key":"another","Value":"x"}
{"Action":"output","Output":"fuzz: elapsed: 3s, execs: 10 (5/sec), new interesting: 1 (total: 2)\n"}
{"Action":"output","Output":"fuzz: elapsed: 6s, execs: 25 (5/sec), new interesting: 1 (total: 2)\n"}
`
	var o outcome
	log, err := o.read(strings.NewReader(output))
	if err != nil || strings.Count(log, "\n") != 2 {
		t.Errorf("the log is %q, error %v", log, err)
	}
	if diff := cmp.Diff([]string{"by two columns: 3 steps", "1 run", "25 inputs"}, o.figures); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if _, err := o.read(strings.NewReader("no JSON")); err == nil {
		t.Error("what is no JSON was taken for events")
	}
}

func TestSuites_RepeatWithTheSameCommand(t *testing.T) {
	t.Chdir("../..")
	o := options{seed: 7, scale: 0.5, inputs: 9, only: "live"}
	list, err := suites(o)
	if err != nil || len(list) != 1 || !cmp.Equal(list[0].env, []string{"ACE_SOAK_SEED=7", "ACE_SOAK=0.5"}) {
		t.Errorf("suites %+v, error %v", list, err)
	}
	if got := o.command(); got != `go run ./infra/soak -seed 7 -scale 0.5 -inputs 9 -only "live"` {
		t.Errorf("the command is %s", got)
	}
}
