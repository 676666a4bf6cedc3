//go:build !unit

package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// addRules stores a rules document and returns its SHA-256.
func addRules(t *testing.T, s *apptest.Service, text string) string {
	t.Helper()
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "POST", Path: "/ace/rules", Body: []byte(text)})
	var added api.AddedRules
	if err := json.Unmarshal(response.Body, &added); err != nil || response.Status != 200 {
		t.Fatalf("status %d: %s", response.Status, response.Body)
	}
	return added.Rules
}

func byRules(sum string, more func(*api.TableRepairRequest)) func(*api.TableRepairRequest) {
	return byRule(api.ResolveRules, func(r *api.TableRepairRequest) {
		r.Rules = sum
		if more != nil {
			more(r)
		}
	})
}

func TestTableRepair_ByARulesDocument(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(3), pgtest.ServerSetting("track_commit_timestamp", "on"))
	s := apptest.New(t, c, apptest.Options{})
	plant(t, c, "public.t")
	before := nodeContents(t, c, "public.t")
	d := s.Diff(t, "public.t")
	sum := addRules(t, s, `
version: 1
rules:
  - name: seven
    when: {keys: [07]}
    take: {columns: {name: min}}
  - when: {kind: missing, on: [n2, n3]}
    take: delete
  - when: {kind: missing}
    take: {node: n1}
  - name: nulls
    when: {columns: [city], where: n2.city = 'x' AND n1.city IS NULL}
    take: {columns: {city: non_null, name: {node: n1}}}
  - when: {written: {after: 2026-01-02T03:04:08Z, on: [n2]}}
    take: {columns: {city: min}}
`)
	reporting := byRules(sum, func(r *api.TableRepairRequest) { r.GenerateReport = true })
	dry := repair(t, s, d.TaskID, "", func(r *api.TableRepairRequest) { reporting(r); r.DryRun = true })
	if diff := cmp.Diff(before, nodeContents(t, c, "public.t")); diff != "" || dry.Status != api.StatusCompleted {
		t.Fatalf("dry run: %s %s, changed:\n%s", dry.Status, dry.Error, diff)
	}

	real := repair(t, s, d.TaskID, "", reporting)
	want := []string{
		"(1,a,x) (2,a,x) (4,a,x) (5,a,x) (6,a,x) (7,a,x)",
		"(1,a,x) (2,b,x) (4,a,x) (5,a,x) (6,a,x) (7,a,x)",
		"(1,a,x) (2,a,x) (4,a,x) (5,a,x) (6,a,x) (7,a,x)",
	}
	if diff := cmp.Diff(want, nodeContents(t, c, "public.t")); diff != "" || real.Status != api.StatusCompleted {
		t.Fatalf("%s %s (-want +got):\n%s", real.Status, real.Error, diff)
	}
	for _, r := range []repaired{dry, real} {
		checkRuleResult(t, r, api.ResolveRules, []string{"2"})
		if diff := cmp.Diff(map[string]int64{"1 seven": 1, "2": 1, "3": 1, "4 nulls": 2, "5": 1}, r.Rules); diff != "" {
			t.Errorf("rules (-want +got):\n%s", diff)
		}
	}

	if u := undo(t, s, real.TaskID, nil); u.Status != api.StatusCompleted {
		t.Errorf("undo: %s %s", u.Status, u.Error)
	}
	if diff := cmp.Diff(before, nodeContents(t, c, "public.t")); diff != "" {
		t.Errorf("after the undo (-before +after):\n%s", diff)
	}

	for document, want := range map[string]string{
		"version: 1\nrules: []\notherwise: {node: n4}":                            `otherwise.node names "n4"; the nodes of this repair are n1, n2, n3`,
		"version: 1\nrules: [{when: {where: n1.nam = 'a'}, take: delete}]":        `column n1.nam does not exist`,
		"version: 1\nrules: [{when: {where: true) OR (true}, take: delete}]":      `where is not one boolean SQL expression`,
		"version: 1\nrules: [{when: {where: 1 / (n1.id - 2) > 0}, take: delete}]": `evaluating where: division by zero`,
		"version: 1\nrules: [{when: {keys: [x]}, take: delete}]":                  `rule 1`,
	} {
		r := repair(t, s, d.TaskID, "", byRules(addRules(t, s, document), nil))
		if r.Status != api.StatusFailed || !strings.Contains(r.Error, want) {
			t.Errorf("%s: %s %s, want FAILED with %s", document, r.Status, r.Error, want)
		}
	}
	if diff := cmp.Diff(before, nodeContents(t, c, "public.t")); diff != "" {
		t.Errorf("a repair that failed has changed (-before +after):\n%s", diff)
	}
}
