//go:build !unit

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"ace/infra/lambda/emulator"
	"ace/infra/template"
	"ace/infra/testkit/endpointtest"
	"ace/infra/testkit/minio"
	"ace/infra/testkit/pgtest"
	"ace/shared/archive/s3"
)

const (
	runner, worker, sweeper = "taskrunner", "blockworker", "sweeper"
	bucket                  = "e2e"
	taskTimeout             = 3 * time.Minute // generous: the machine may be busy
)

// site is what a deployment stands on: nodes and an S3 server.
type site struct {
	cluster  *pgtest.Cluster
	clusters string // directory of the definitions, with passwords; functions read those in the bucket, which name a secret
	s3       s3.Options
}

func newSite(t *testing.T, opts ...pgtest.Option) *site {
	t.Helper()
	s := &site{cluster: pgtest.NewCluster(t, opts...), clusters: t.TempDir(), s3: minio.Start(t).Options(bucket)}
	if err := s3.EnsureBucket(t.Context(), s.s3); err != nil {
		t.Fatal(err)
	}
	s.uploadDefinition(t, s.cluster.WriteDefinition(t, s.clusters))
	return s
}

// passwordSecret is the secret to which the definitions of the functions refer.
const passwordSecret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ace-AbCdEf"

// uploadDefinition puts a definition into the bucket, with the secret instead of the
// password.
func (s *site) uploadDefinition(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	password := fmt.Sprintf(`"db_password": %q`, s.cluster.Password)
	named := strings.Replace(string(content), password, fmt.Sprintf(`"db_password_secret": %q`, passwordSecret), 1)
	if named == string(content) {
		t.Fatalf("no password in %s", content)
	}
	if _, err := s.open(t, "clusters").Put(t.Context(), filepath.Base(path), "application/json", []byte(named)); err != nil {
		t.Fatal(err)
	}
}

// settings are the settings of a deployment.
type settings struct {
	prefix   string // the prefix of the archive
	env      map[string]string
	limits   map[string]time.Duration // time limits of functions; the default is a minute
	capacity map[string]int           // concurrency of functions
	faults   map[string]emulator.Faults
	seed     uint64
	events   string // address of a server that speaks EventBridge; "" for none
}

// deployment is the service in the emulator.
type deployment struct {
	site     *site
	template *template.Template
	emulator *emulator.Emulator
	lambda   *lambda.Client
	output   *lines
	store    *s3.Store
	client
}

// deploy runs the functions with the variables that the template names, and no others.
func (s *site) deploy(t *testing.T, o settings) *deployment {
	t.Helper()
	loaded, err := template.Load("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"ACE_STORE":               fmt.Sprintf("s3://%s/%s?endpoint=%s&region=us-east-1", bucket, o.prefix, s.s3.Endpoint),
		"ACE_CLUSTERS":            fmt.Sprintf("s3://%s/clusters?endpoint=%s&region=us-east-1", bucket, s.s3.Endpoint),
		"ACE_LOG_LEVEL":           "info",
		"ACE_LOG_FORMAT":          "text",
		"ACE_FUNCTION_TASKRUNNER": runner, "ACE_FUNCTION_BLOCKWORKER": worker,
		"ACE_METRICS_NAMESPACE": "ace-stack",
		"ACE_MAX_INVOCATIONS":   "4", "ACE_UNIT_TIMEOUT": "30s", "ACE_STATEMENT_TIMEOUT": "20s",
	}
	if o.events != "" {
		values["ACE_EVENT_BUS"] = eventBus
	}
	for name, value := range o.env {
		values[name] = value
	}
	output := &lines{t: t}
	options := emulator.Options{RetryDelay: 200 * time.Millisecond, Seed: o.seed, Output: output, Secrets: map[string]string{
		passwordSecret: fmt.Sprintf(`{"username": %q, "password": %q}`, s.cluster.User, s.cluster.Password),
	}}
	for _, f := range loaded.Functions {
		env := s.credentials(t, f, o.prefix)
		for name := range f.Env {
			env[name] = values[name]
		}
		if lease := o.env["ACE_LEASE"]; lease != "" {
			env["ACE_LEASE"] = lease
		}
		if o.events != "" {
			env["AWS_ENDPOINT_URL_EVENTBRIDGE"] = o.events
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
	d := &deployment{site: s, template: loaded, emulator: e, lambda: awsClient(e), output: output}
	d.client = client{name: "functions", cluster: s.cluster.Name, do: endpointtest.Gateway(t, "functions", func(path string, event []byte) ([]byte, error) {
		return d.invoke(t.Context(), loaded.Select(path), event)
	}).Do}
	d.store = s.open(t, o.prefix)
	return d
}

// credentials are those of a role that may do to the bucket what the template permits the
// function, and nothing else: the S3 server checks that as AWS does.
func (s *site) credentials(t *testing.T, f template.Function, prefix string) map[string]string {
	t.Helper()
	type statement struct {
		Effect           string
		Action, Resource []string
	}
	policy := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	const arn = "arn:aws:s3:::" + bucket
	within := arn + "/" + prefix
	if prefix != "" {
		within += "/"
	}
	place := strings.NewReplacer("${Archive.Arn}/clusters/", arn+"/clusters/", "${Archive.Arn}/", within, "${Archive.Arn}", arn)
	for _, permitted := range f.Statements {
		if !strings.HasPrefix(permitted.Actions[0], "s3:") {
			continue
		}
		allow := statement{Effect: "Allow", Action: permitted.Actions}
		for _, resource := range permitted.Resources {
			allow.Resource = append(allow.Resource, place.Replace(resource))
		}
		policy.Statement = append(policy.Statement, allow)
	}
	text, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	role, err := minio.Role(s.s3, string(text))
	if err != nil {
		t.Fatalf("function %s: %v", f.Directory, err)
	}
	return map[string]string{
		"AWS_ACCESS_KEY_ID": role.AccessKeyID, "AWS_SECRET_ACCESS_KEY": role.SecretAccessKey, "AWS_SESSION_TOKEN": role.SessionToken,
	}
}

// lines keeps what functions print, and passes it on until the test has ended.
type lines struct {
	mu   sync.Mutex
	t    *testing.T
	text strings.Builder
}

// String returns what was printed.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if l.t.Context().Err() != nil {
		return len(p), nil
	}
	return l.t.Output().Write(p)
}

// awsClient returns the Lambda client of the AWS SDK for the emulator.
func awsClient(e *emulator.Emulator) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
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
