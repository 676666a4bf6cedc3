// Package prometheus runs the Prometheus server and promtool, which
// infra/monitoring/install.sh puts into .cache, for tests.
package prometheus

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startTimeout bounds the start of a server, on a machine that runs other tests too.
const startTimeout = 60 * time.Second

// program returns the path of a program. root is the module's root.
func program(t testing.TB, root, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, ".cache/prometheus/usr/bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%v: run infra/monitoring/install.sh", err)
	}
	return path
}

// Promtool runs promtool in a directory. A failure of promtool fails the test. root is
// the module's root.
func Promtool(t testing.TB, root, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(program(t, root, "promtool"), args...)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// Server is a running Prometheus.
type Server struct{ address string }

// Start runs a server with a configuration file until the test ends. root is the module's
// root.
func Start(t testing.TB, root, config string) *Server {
	t.Helper()
	s := &Server{address: freeAddress(t)}
	var output strings.Builder
	cmd := exec.Command(program(t, root, "prometheus"), "--config.file="+config, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+s.address)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("output of Prometheus:\n%s", &output)
		}
	})
	for deadline := time.Now().Add(startTimeout); ; {
		if resp, err := http.Get("http://" + s.address + "/-/ready"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("Prometheus is not ready")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Sample is one result of a query.
type Sample struct {
	Labels map[string]string
	Value  string
}

// Query returns the present result of a query that returns a vector.
func (s *Server) Query(t testing.TB, query string) []Sample {
	t.Helper()
	resp, err := http.Get("http://" + s.address + "/api/v1/query?" + url.Values{"query": {query}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status string
		Error  string
		Data   struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("query %s: %v %s", query, err, answer.Error)
	}
	samples := []Sample{}
	for _, r := range answer.Data.Result {
		value, _ := r.Value[1].(string)
		samples = append(samples, Sample{Labels: r.Metric, Value: value})
	}
	return samples
}
