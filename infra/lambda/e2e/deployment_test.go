package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"ace/infra/lambda/emulator"
	"ace/infra/template"
	"ace/shared/api"
	"ace/shared/archive/s3"
	"ace/shared/archive/storetest/minio"
	"ace/shared/endpoint"
	"ace/shared/endpoint/endpointtest"
	"ace/shared/pg/pgtest"
	"ace/shared/task"
)

const (
	runner, worker, sweeper = "taskrunner", "blockworker", "sweeper"
	bucket                  = "e2e"
	taskTimeout             = 3 * time.Minute // generous: the machine may be busy
)

// site is what a deployment stands on: nodes and an S3 server.
type site struct {
	cluster  *pgtest.Cluster
	clusters string // directory of the definitions
	s3       s3.Options
}

func newSite(t *testing.T, opts ...pgtest.Option) *site {
	t.Helper()
	s := &site{cluster: pgtest.NewCluster(t, opts...), clusters: t.TempDir(), s3: minio.Start(t).Options(bucket)}
	s.cluster.WriteDefinition(t, s.clusters)
	if err := s3.EnsureBucket(t.Context(), s.s3); err != nil {
		t.Fatal(err)
	}
	return s
}

// settings of a deployment.
type settings struct {
	prefix   string // of the archive
	env      map[string]string
	limits   map[string]time.Duration // of functions; else a minute
	capacity map[string]int           // concurrency of functions
	faults   map[string]emulator.Faults
	seed     uint64
}

// deployment is the service in the emulator.
type deployment struct {
	site     *site
	emulator *emulator.Emulator
	lambda   *lambda.Client
	store    *s3.Store
	gateway  endpointtest.Transport
}

// deploy gives every function of the template the variables that the template names, and nothing else.
func (s *site) deploy(t *testing.T, o settings) *deployment {
	t.Helper()
	loaded, err := template.Load("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"ACE_STORE":               fmt.Sprintf("s3://%s/%s?endpoint=%s&region=us-east-1", bucket, o.prefix, s.s3.Endpoint),
		"ACE_CLUSTERS":            s.clusters,
		"ACE_LOG_LEVEL":           "info",
		"ACE_LOG_FORMAT":          "text",
		"ACE_FUNCTION_TASKRUNNER": runner, "ACE_FUNCTION_BLOCKWORKER": worker,
		"ACE_MAX_INVOCATIONS": "4", "ACE_UNIT_TIMEOUT": "30s", "ACE_STATEMENT_TIMEOUT": "20s",
	}
	for name, value := range o.env {
		values[name] = value
	}
	options := emulator.Options{RetryDelay: 200 * time.Millisecond, Seed: o.seed, Output: &lines{t: t}}
	for _, f := range loaded.Functions {
		env := map[string]string{"AWS_ACCESS_KEY_ID": s.s3.AccessKey, "AWS_SECRET_ACCESS_KEY": s.s3.SecretKey}
		for name := range f.Env {
			env[name] = values[name]
		}
		if lease := o.env["ACE_LEASE"]; lease != "" {
			env["ACE_LEASE"] = lease
		}
		limit := o.limits[f.Directory]
		if limit == 0 {
			limit = time.Minute
		}
		options.Functions = append(options.Functions, emulator.Function{
			Name: f.Directory, Binary: filepath.Join(binaries, f.Directory), Env: env, Timeout: limit,
			Concurrency: o.capacity[f.Directory], Faults: o.faults[f.Directory],
		})
	}
	e, err := emulator.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	d := &deployment{site: s, emulator: e, lambda: client(e)}
	d.gateway = endpointtest.Gateway(t, "functions", func(path string, event []byte) ([]byte, error) {
		return d.invoke(t.Context(), route(loaded, path), event)
	})
	at := s.s3
	at.Prefix = o.prefix
	if d.store, err = s3.Open(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.store.Close)
	return d
}

// lines passes on what functions print, until the test has ended.
type lines struct {
	mu sync.Mutex
	t  *testing.T
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t.Context().Err() != nil {
		return len(p), nil
	}
	return l.t.Output().Write(p)
}

// client is the real client, as others would use it.
func client(e *emulator.Emulator) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
}

// route gives the function that the template has for a path.
func route(of *template.Template, path string) string {
	for _, r := range api.Routes() {
		if _, ok := r.Match(path); ok {
			if name, ok := of.Route(string(r)); ok {
				return name
			}
		}
	}
	name, _ := of.Route("$default")
	return name
}

// invoke invokes a function as API Gateway does.
func (d *deployment) invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	out, err := d.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function), Payload: payload})
	if err != nil {
		return nil, err
	}
	if out.FunctionError != nil {
		return nil, fmt.Errorf("function %s failed: %s", function, out.Payload)
	}
	return out.Payload, nil
}

// sweepUntilEnd invokes the sweep now and then, as its schedule does.
func (d *deployment) sweepUntilEnd(t *testing.T) {
	t.Helper()
	stop := make(chan struct{})
	var sweeps sync.WaitGroup
	sweeps.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
			_, _ = d.lambda.Invoke(t.Context(), &lambda.InvokeInput{
				FunctionName: aws.String(sweeper), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{}`),
			})
		}
	})
	t.Cleanup(func() {
		close(stop)
		sweeps.Wait()
	})
}

// get sends a GET and decodes the answer; any status but 200 fails the test.
func (d *deployment) get(t *testing.T, path string, query url.Values, into any) {
	t.Helper()
	resp := d.gateway.Do(endpoint.Request{Method: "GET", Path: path, RawQuery: query.Encode(), Header: endpoint.Header{}})
	if resp.Status != 200 {
		t.Fatalf("GET %s?%s: status %d: %s", path, query.Encode(), resp.Status, resp.Body)
	}
	if err := json.Unmarshal(resp.Body, into); err != nil {
		t.Fatalf("GET %s: %v in %s", path, err, resp.Body)
	}
}

// submit submits a table-diff of public.t; args are name, value, name, value.
func (d *deployment) submit(t *testing.T, args ...string) string {
	t.Helper()
	query := url.Values{
		"cluster_name": {d.site.cluster.Name}, "table_name": {"public.t"}, "confirm_delay": {"0"}, "block_rows": {"1000"}, "batch_size": {"1"}, "max_cpu_ratio": {"1"},
	}
	for i := 0; i+1 < len(args); i += 2 {
		query.Set(args[i], args[i+1])
	}
	var submitted api.Submitted
	d.get(t, "/ace/table-diff", query, &submitted)
	return submitted.TaskID
}

func (d *deployment) status(t *testing.T, taskID string) api.TaskStatus {
	t.Helper()
	var status api.TaskStatus
	d.get(t, "/ace/task-status/"+taskID, nil, &status)
	return status
}

// wait waits until a task has ended.
func (d *deployment) wait(t *testing.T, taskID string) api.TaskStatus {
	t.Helper()
	for deadline := time.Now().Add(taskTimeout); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if status := d.status(t, taskID); task.Status(status.Status).Terminal() {
			return status
		}
	}
	t.Fatalf("task %s did not end: %+v", taskID, d.status(t, taskID))
	return api.TaskStatus{}
}

// document downloads the document of a completed task, as the API says where it is.
func (d *deployment) document(t *testing.T, taskID string) []byte {
	t.Helper()
	resp := d.gateway.Do(endpoint.Request{Method: "GET", Path: "/ace/diffs/" + taskID, Header: endpoint.Header{}})
	if resp.Status != 302 {
		t.Fatalf("document of %s: status %d: %s", taskID, resp.Status, resp.Body)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, resp.Header["Location"], nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := new(http.Client).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("document of %s: status %d, error %v: %s", taskID, answer.StatusCode, err, body)
	}
	return body
}
