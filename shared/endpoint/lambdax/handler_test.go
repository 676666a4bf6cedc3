package lambdax_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/endpoint"
	"ace/shared/endpoint/lambdax"
	"ace/shared/fault"
)

func handler(t *testing.T, presign func(context.Context) (string, error)) func(context.Context, lambdax.Event) (lambdax.Answer, error) {
	t.Helper()
	mux, err := endpoint.New(endpoint.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))},
		endpoint.JSON(api.RouteHealth, api.DecodeHealth,
			func(context.Context, api.HealthRequest) (api.Health, error) { return api.Health{Status: "ok"}, nil }),
		endpoint.Download(api.RouteDiff, api.DecodeDiff,
			func(context.Context, api.DiffRequest) (*api.File, error) {
				return &api.File{ContentType: "application/json", Presign: presign}, nil
			}))
	if err != nil {
		t.Fatal(err)
	}
	return lambdax.Handler(mux)
}

func event(method, stage, rawPath string) lambdax.Event {
	var e lambdax.Event
	e.RawPath = rawPath
	e.RequestContext.Stage = stage
	e.RequestContext.HTTP.Method = method
	return e
}

func TestHandler_RemovesTheStageFromThePath(t *testing.T) {
	tests := []struct {
		stage, path string
		status      int
	}{
		{"$default", "/healthz", 200},
		{"", "/healthz", 200},
		{"prod", "/prod/healthz", 200},
		{"prod", "/healthz", 200}, // a custom domain has no stage in its path
		{"prod", "/%68ealthz", 200},
		{"prod", "/production/healthz", 404},
		{"prod", "/prod", 404},
		{"prod", "/%zz", 404},
	}
	for _, tt := range tests {
		got, err := handler(t, nil)(t.Context(), event("GET", tt.stage, tt.path))
		if err != nil || got.StatusCode != tt.status {
			t.Errorf("stage %q, path %q: got %d %s, %v, want %d", tt.stage, tt.path, got.StatusCode, got.Body, err, tt.status)
		}
	}
}

func TestHandler_RedirectsToTheFile(t *testing.T) {
	presign := func(context.Context) (string, error) { return "https://bucket.example/key?signed", nil }
	got, err := handler(t, presign)(t.Context(), event("GET", "", "/ace/diffs/td_20240315_123456"))
	if err != nil || got.StatusCode != 302 || got.Headers["Location"] != "https://bucket.example/key?signed" || got.Body != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got.Headers["Cache-Control"] != "no-store" {
		t.Errorf("headers are %v", got.Headers)
	}
}

func TestHandler_AFileThatCannotBePresignedIsAnError(t *testing.T) {
	presign := func(context.Context) (string, error) { return "", fault.New(fault.Unavailable, "no credentials") }
	got, err := handler(t, presign)(t.Context(), event("GET", "", "/ace/diffs/td_20240315_123456"))
	if err != nil || got.StatusCode != 503 || got.Body != `{"error":"no credentials"}`+"\n" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHandler_ABodyThatIsNotBase64IsABadRequest(t *testing.T) {
	e := event("POST", "", "/healthz")
	e.Body, e.IsBase64Encoded = "%%%", true
	got, err := handler(t, nil)(t.Context(), e)
	if err != nil || got.StatusCode != 400 || got.Body != `{"error":"the request body is not valid base64"}`+"\n" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHandler_AcceptsABodyOfPlainText(t *testing.T) {
	e := event("POST", "", "/healthz")
	e.Body, e.Headers = "a=1", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	got, err := handler(t, nil)(t.Context(), e)
	if want := `{"error":"unknown parameter \"a\"; this path has no parameters"}` + "\n"; err != nil || got.Body != want {
		t.Errorf("got %+v, %v, want %s", got, err, want)
	}
}

func TestHandler_TheCallerIsTheIdentityThatAWSHasAuthenticated(t *testing.T) {
	const arn = "arn:aws:sts::123456789012:assumed-role/dba/alice"
	for name, tt := range map[string]struct{ context, caller string }{
		"IAM":         {`{"http":{"method":"GET","sourceIp":"10.0.0.5","userAgent":"curl"},"authorizer":{"iam":{"userArn":"` + arn + `","accountId":"1"}}}`, arn},
		"a web token": {`{"http":{"method":"GET","sourceIp":"10.0.0.5","userAgent":"curl"},"authorizer":{"jwt":{"claims":{"sub":"schedule"}}}}`, "jwt:schedule"},
		"no identity": {`{"http":{"method":"GET","sourceIp":"10.0.0.5","userAgent":"curl"}}`, "aws"},
	} {
		var by api.RequestedBy
		mux, err := endpoint.New(endpoint.Options{Logger: slog.New(slog.DiscardHandler)}, endpoint.JSON(api.RouteTasks, api.DecodeTasks,
			func(ctx context.Context, _ api.TasksRequest) (string, error) {
				by = *caller.RequestedBy(ctx)
				return "", nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		var event lambdax.Event
		if err := json.Unmarshal([]byte(`{"version":"2.0","rawPath":"/ace/tasks","requestContext":`+tt.context+`}`), &event); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		handle := lambdax.Logged(lambdax.Handler(mux), endpoint.NewRequestLog(slog.New(slog.NewTextHandler(&log, nil)), endpoint.LogAll))
		answer, err := handle(t.Context(), event)
		want := api.RequestedBy{Caller: tt.caller, From: "10.0.0.5", Via: "lambda", UserAgent: "curl"}
		if err != nil || answer.StatusCode != 200 || by != want {
			t.Errorf("%s: status %d, requested by %+v, %v", name, answer.StatusCode, by, err)
		}
		if !strings.Contains(log.String(), "caller="+tt.caller+" from=10.0.0.5 via=lambda method=GET route=/ace/tasks status=200") {
			t.Errorf("%s: logged %s", name, log.String())
		}
	}
}
