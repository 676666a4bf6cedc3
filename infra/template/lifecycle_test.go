package template_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
)

// rules returns after how many days the objects with each prefix expire, as the template
// writes the number.
func rules(t *testing.T) map[string]string {
	t.Helper()
	listed, _ := load(t).Get("Resources", "Archive", "Properties", "LifecycleConfiguration", "Rules").([]any)
	found := map[string]string{}
	for _, rule := range listed {
		object, _ := rule.(map[string]any)
		if branches, ok := object["Fn::If"].([]any); ok {
			if branches[0] != "Expires" {
				t.Errorf("a rule depends on %v", branches[0])
			}
			object, _ = branches[1].(map[string]any)
		}
		if prefix, ok := object["Prefix"].(string); ok {
			found[prefix] = fmt.Sprint(object["ExpirationInDays"])
		}
	}
	return found
}

func TestTemplate_WhatATaskNeedsOutlivesTheRecordThatItIsFoundBy(t *testing.T) {
	const record, leftover = "map[Ref:RetentionDays]", "map[Fn::FindInMap:[Leftovers map[Ref:RetentionDays] Days]]"
	want := map[string]string{
		"tasks/": record, "index/": record, "baselines/": record, "diffs/": leftover, "imports/": leftover, "reports/": leftover, "repairs/": leftover, "incoming/": "1", "notifications/": "14",
	}
	if got := rules(t); !maps.Equal(got, want) { // open/, locks/ and schedules/ are small, and never expire
		t.Errorf("the rules are %v, want %v", got, want)
	}
	loaded := load(t)
	allowed, _ := loaded.Get("Parameters", "RetentionDays", "AllowedValues").([]any)
	leftovers, _ := loaded.Get("Mappings", "Leftovers").(map[string]any)
	if len(allowed) < 2 || len(allowed) != len(leftovers) {
		t.Errorf("allowed are %v, the mapping has %v", allowed, slices.Sorted(maps.Keys(leftovers)))
	}
	for _, days := range allowed {
		text, _ := days.(string)
		mapped, _ := loaded.Get("Mappings", "Leftovers", text, "Days").(string)
		kept, err := strconv.Atoi(text)
		longer, failed := strconv.Atoi(mapped)
		if err != nil || failed != nil || longer != kept+7 || kept > 0 && kept < 7 { // a task that runs for days must not lose its parts
			t.Errorf("records are kept for %v days, the rest for %v", text, mapped)
		}
	}
}
