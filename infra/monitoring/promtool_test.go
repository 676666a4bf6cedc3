//go:build !unit

package monitoring_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/infra/testkit/prometheus"
)

// Promtool checks the syntax of the rules and the configuration, and runs the tests of
// the rules.
func TestPromtool_AcceptsTheRules(t *testing.T) {
	prometheus.Promtool(t, "../..", ".", "check", "rules", "alerts.yml")
	prometheus.Promtool(t, "../..", ".", "check", "config", "prometheus.yml")
	prometheus.Promtool(t, "../..", ".", "test", "rules", "alerts_test.yml")
}

// A query of the dashboard is checked as a recording rule.
func TestPromtool_AcceptsTheQueriesOfTheDashboard(t *testing.T) {
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for i, query := range expressions(t, read(t, "dashboard.json")) {
		fmt.Fprintf(&rules, "      - {record: \"q%d\", expr: %q}\n", i, query)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	prometheus.Promtool(t, "../..", ".", "check", "rules", path)
}
