//go:build !unit

package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/prometheus"
	"ace/shared/api"
)

const metricsToken = "correct-horse-battery"

// bearer sends the token with each request.
type bearer struct{ next http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+metricsToken)
	return b.next.RoundTrip(r)
}

// withToken starts the service with a token. The client of the returned service sends the
// token.
func (h home) withToken(t testing.TB, address, file string) *service {
	t.Helper()
	s := h.serve(t, settings{"ACE_LISTEN": address, "ACE_TOKEN_FILE": file})
	s.client.Transport = bearer{s.client.Transport}
	return s
}

// scrapeConfig writes the configuration of infra/monitoring for a service, and the alert
// rules. The intervals are shorter.
func scrapeConfig(t *testing.T, s *service, tokenFile string) string {
	t.Helper()
	dir := t.TempDir()
	for name, change := range map[string]*strings.Replacer{
		"prometheus.yml": strings.NewReplacer("localhost:5000", s.host, "scrape_interval: 30s", "scrape_interval: 200ms\n  evaluation_interval: 200ms",
			"# authorization:", "authorization:", "#   credentials_file: /etc/prometheus/ace-token", "  credentials_file: "+tokenFile),
		"alerts.yml": strings.NewReplacer(),
	} {
		text, err := os.ReadFile("../infra/monitoring/" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(change.Replace(string(text))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "prometheus.yml")
}

// tableMetrics are the metrics of one table, as Prometheus has them.
type tableMetrics struct {
	Differing, Unsettled, Verdict string
	Verified                      string
	PendingAlerts                 string
}

// A real Prometheus reads the metrics of a running service with a token. The metrics of a
// table follow a comparison and a rerun, and survive a restart of the service.
func TestMetrics_OfATableReachPrometheus(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, "CREATE TABLE public.users (id int PRIMARY KEY, name text)", "INSERT INTO public.users SELECT i, 'u' || i FROM generate_series(1, 100) i")
	c.Exec(t, 1, "UPDATE public.users SET name = 'other' WHERE id <= 3")
	h := newHome(t, c)
	tokenFile := filepath.Join(h.dir, "token")
	if err := os.WriteFile(tokenFile, []byte(metricsToken), 0o600); err != nil {
		t.Fatal(err)
	}
	s := h.withToken(t, "127.0.0.1:0", tokenFile)
	prom := prometheus.Start(t, "..", scrapeConfig(t, s, tokenFile))

	diff := s.submit(t, c, "public.users")
	first := s.completed(t, diff)
	verified := strconv.FormatFloat(float64(s.status(t, diff).FinishedAt.UnixMilli())/1000, 'f', -1, 64)
	wantTable(t, prom, c, tableMetrics{Differing: "3", Unsettled: "0", Verdict: "differ", Verified: verified, PendingAlerts: "AceTableDiffers"})
	for query, want := range map[string]string{
		`ace_tasks_ended_total{type="table-diff", status="COMPLETED"}`:                  "1",
		`ace_rows_compared_total`:                                                       "200",
		`ace_task_duration_seconds_count{type="table-diff"}`:                            "1",
		`ace_http_requests_total{route="/ace/table-diff", code="200"}`:                  "1",
		`ace_http_requests_total{route="/metrics", code="200"} > bool 0`:                "1",
		`ace_node_received_bytes_total > bool 0`:                                        "1",
		`ace_store_requests_total{operation="put"} > bool 0`:                            "1",
		`sum(ace_store_errors_total) + sum(ace_lease_losses_total)`:                     "0",
		`ace_queue_length + ace_tasks_running`:                                          "0",
		`ace_table_metrics_restored`:                                                    "1",
		`up{job="ace"}`:                                                                 "1",
		`time() - ace_table_last_verified_timestamp_seconds{scope="full"} < bool 86400`: "1",
	} {
		wantValue(t, prom, query, want)
	}

	c.Exec(t, 1, "UPDATE public.users SET name = 'u' || id")
	var rerun api.Submitted
	s.read(t, "/ace/table-rerun", diffQuery(c, "public.users", "diff_file", first.DiffFile), &rerun)
	s.completed(t, rerun.TaskID)
	equal := tableMetrics{Differing: "0", Unsettled: "0", Verdict: "match", Verified: verified}
	wantTable(t, prom, c, equal)

	s.kill()
	h.withToken(t, s.host, tokenFile)
	wantValue(t, prom, `sum(ace_tasks_ended_total) + sum(ace_table_metrics_restored)`, "1") // the new process, which has ended no task
	wantTable(t, prom, c, equal)
}

func wantTable(t *testing.T, prom *prometheus.Server, c *pgtest.Cluster, want tableMetrics) {
	t.Helper()
	labels := fmt.Sprintf(`{cluster=%q, table="public.users", scope="full"}`, c.Name)
	one := func(query, label string) string {
		samples := prom.Query(t, query)
		if len(samples) != 1 {
			return fmt.Sprintf("%v", samples)
		}
		if label != "" {
			return samples[0].Labels[label]
		}
		return samples[0].Value
	}
	var got tableMetrics
	defer func() {
		if t.Failed() {
			t.Log(gocmp.Diff(want, got))
		}
	}()
	eventually(t, startTimeout, "Prometheus has the metrics of the table", func() bool {
		got = tableMetrics{
			Differing: one("ace_table_differing_rows"+labels, ""), Unsettled: one("ace_table_unsettled_rows"+labels, ""),
			Verdict: one("ace_table_last_verified_timestamp_seconds"+labels, "verdict"), Verified: one("ace_table_last_verified_timestamp_seconds"+labels, ""),
		}
		for _, alert := range prom.Query(t, "ALERTS") {
			got.PendingAlerts += alert.Labels["alertname"]
		}
		return got == want
	})
}

func wantValue(t *testing.T, prom *prometheus.Server, query, want string) {
	t.Helper()
	var samples []prometheus.Sample
	defer func() {
		if t.Failed() {
			t.Logf("%s: %v", query, samples)
		}
	}()
	eventually(t, startTimeout, query+" is "+want, func() bool {
		samples = prom.Query(t, query)
		return len(samples) == 1 && samples[0].Value == want
	})
}

func TestMetrics_AreOffIfTheConfigurationSaysSo(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := newHome(t, c).serve(t, settings{"ACE_METRICS": "false"})
	if resp := s.get(t, "/metrics", ""); resp.Status != 404 {
		t.Errorf("GET /metrics: %d %s", resp.Status, resp.Body)
	}
}
