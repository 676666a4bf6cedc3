package monitoring_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ace/shared/metrics"
	"ace/shared/notify"
)

// idle is a queue without tasks.
type idle struct{}

func (idle) Load() (running, waiting int) { return 0, 0 }

// families returns the metrics of the service by their names.
func families() map[string]metrics.Family {
	m := metrics.New()
	m.WatchQueue(idle{}, 1)
	m.WatchNodes(func() (received, sent int64) { return 0, 0 })
	m.WatchNotifications(func() notify.Stats { return notify.Stats{} })
	m.WatchCertificate(time.Now)
	byName := map[string]metrics.Family{}
	for _, f := range m.Families() {
		byName[f.Name] = f
	}
	return byName
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	named  = regexp.MustCompile(`\bace_[a-z_]*[a-z]\b`)
	suffix = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// unknown returns the metrics that a text names and the service does not publish.
func unknown(text string) []string {
	published := families()
	var missing []string
	for _, name := range named.FindAllString(text, -1) {
		_, known := published[name]
		if base := suffix.ReplaceAllString(name, ""); published[base].Kind == "histogram" {
			known = true
		}
		if !known && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

func TestMonitoring_EveryMetricExists(t *testing.T) {
	for _, path := range []string{"alerts.yml", "alerts_test.yml", "dashboard.json", "../../docs/MONITORING.md"} {
		text := read(t, path)
		if !named.MatchString(text) {
			t.Errorf("%s names no metric", path)
		}
		if missing := unknown(text); len(missing) > 0 {
			t.Errorf("%s names %v, which the service does not publish", path, missing)
		}
	}
	if got := unknown("ace_no_such_metric + ace_queue_length_bucket"); len(got) != 2 {
		t.Errorf("unknown metrics are not detected: %v", got)
	}
}

// expressions returns the queries of a dashboard, with its variables replaced by values.
func expressions(t *testing.T, text string) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("$__rate_interval", "5m", "$cluster", ".*", "$table", ".*", "$scope", "full")
	ids := map[int]bool{}
	var found []string
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d (%q) has no title or query, or its id is used twice", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			found = append(found, values.Replace(target.Expr))
		}
	}
	return found
}

func TestDashboard_ShowsEveryMetric(t *testing.T) {
	queries := strings.Join(expressions(t, read(t, "dashboard.json")), "\n")
	for name := range families() {
		if !strings.Contains(queries, name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

func TestAlerts_AreExplained(t *testing.T) {
	page := read(t, "../../docs/MONITORING.md")
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read(t, "alerts.yml"), -1)
	tests := read(t, "alerts_test.yml")
	if len(alerts) == 0 {
		t.Fatal("there is no alert")
	}
	for _, alert := range alerts {
		if !strings.Contains(page, "| `"+alert[1]+"` |") {
			t.Errorf("docs/MONITORING.md does not explain %s", alert[1])
		}
		if !strings.Contains(tests, "alertname: "+alert[1]) {
			t.Errorf("alerts_test.yml does not test %s", alert[1])
		}
	}
}

func TestDocs_ListEveryMetric(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `(ace_[a-z_]+)` \\| (\\w+) \\| ([^|]*) \\| (.*) \\|$")
	got := map[string]metrics.Family{}
	for _, found := range row.FindAllStringSubmatch(read(t, "../../docs/MONITORING.md"), -1) {
		f := metrics.Family{Name: found[1], Kind: found[2], Help: found[4]}
		if found[3] != "" {
			f.Labels = strings.Split(found[3], ", ")
		}
		got[f.Name] = f
	}
	if diff := gocmp.Diff(families(), got); diff != "" {
		var rows strings.Builder
		m := metrics.New()
		m.WatchQueue(idle{}, 1)
		m.WatchNodes(func() (received, sent int64) { return 0, 0 })
		m.WatchNotifications(func() notify.Stats { return notify.Stats{} })
		m.WatchCertificate(time.Now)
		for _, f := range m.Families() {
			fmt.Fprintf(&rows, "| `%s` | %s | %s | %s |\n", f.Name, f.Kind, strings.Join(f.Labels, ", "), f.Help)
		}
		t.Errorf("docs/MONITORING.md: -want +got\n%s\nthe rows should be:\n%s", diff, &rows)
	}
}
