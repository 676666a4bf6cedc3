package endpoint_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apicases"
	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/endpoint"
)

// everyRoute returns a mux with an endpoint for each route, which does nothing.
func everyRoute(t *testing.T, refused func(context.Context, string, *caller.RefusalError)) *endpoint.Mux {
	t.Helper()
	params := func(p api.Params) (api.Params, error) { return p, nil }
	var endpoints []endpoint.Endpoint
	for _, route := range api.Routes() {
		e := endpoint.JSON(route, params, func(context.Context, api.Params) (string, error) { return "ok", nil })
		if route == api.RouteDiffs || route == api.RouteRules {
			e = endpoint.Receiving(e, 1<<10, params, func(context.Context, api.Params, io.Reader) (string, error) { return "ok", nil })
		}
		endpoints = append(endpoints, e)
	}
	mux, err := endpoint.New(endpoint.Options{Logger: slog.New(slog.DiscardHandler), Refused: refused}, endpoints...)
	if err != nil {
		t.Fatal(err)
	}
	return mux
}

func TestRights_EveryRouteNeedsTheRightOfItsCase(t *testing.T) {
	var refused []string
	mux := everyRoute(t, func(_ context.Context, action string, r *caller.RefusalError) {
		refused = append(refused, action+" "+string(r.Right))
	})

	tested := map[api.Route]bool{}
	for _, c := range apicases.Rights() {
		tested[c.Route] = true
		for _, right := range append(api.Rights(), api.RightNone) {
			who := caller.Caller{Name: "ci", Clusters: []string{caller.AllClusters}}
			if right != api.RightNone {
				who.Rights = []api.Right{right}
			}
			ctx := caller.NewContext(t.Context(), caller.NewIdentity(who, api.RequestedBy{}))
			for _, method := range c.Methods {
				refused = nil
				resp := mux.Handle(ctx, endpoint.Request{Method: method, Path: c.Route.Path("td_20240315_123456"), Header: endpoint.Header{}})
				allowed := c.Open || slices.Contains(c.Rights, right)
				switch {
				case allowed && (resp.Status != 200 || refused != nil):
					t.Errorf("%s %s with the right %q: status %d %s", method, c.Route, right, resp.Status, resp.Body)
				case !allowed && (resp.Status != 403 || !strings.Contains(string(resp.Body), "the caller ci does not have") || len(refused) != 1 || !strings.HasPrefix(refused[0], c.Route.Name()+" ")):
					t.Errorf("%s %s with the right %q: status %d %s, refused %v", method, c.Route, right, resp.Status, resp.Body, refused)
				}
			}
		}
	}
	for _, route := range api.Routes() {
		if !tested[route] {
			t.Errorf("no case has the rights of %s", route)
		}
	}
}

func TestHandle_ARequestWithoutACallerIsServedOnlyWhereNoRightIsNeeded(t *testing.T) {
	mux := everyRoute(t, nil)
	for _, route := range api.Routes() {
		resp := mux.Handle(t.Context(), request(route.Path("td_20240315_123456"), ""))
		want := 500
		if route.IsProbe() || route == api.RouteOpenAPI {
			want = 200
		}
		if resp.Status != want {
			t.Errorf("%s: status %d, want %d", route, resp.Status, want)
		}
	}
}

func TestRefusal_IsFoundInAWrappedError(t *testing.T) {
	var refusal *caller.RefusalError
	if err := (caller.Caller{}).Check(api.RightRead); !errors.As(errors.Join(err), &refusal) || refusal.Right != api.RightRead {
		t.Errorf("got %v", refusal)
	}
}

func TestRequestLog_HasNoValueOfTheRequest(t *testing.T) {
	for _, tt := range []struct {
		which, method, path string
		lines               int
	}{
		{endpoint.LogAll, "GET", "/ace/tasks", 1},
		{endpoint.LogAll, "GET", "/ace/task-status/td_20240315_123456", 1},
		{endpoint.LogAll, "GET", "/secret-path", 1},
		{endpoint.LogAll, "SECRET", "/ace/tasks", 1},
		{endpoint.LogChanges, "GET", "/ace/tasks", 0},
		{endpoint.LogChanges, "GET", "/ace/table-diff", 1},
		{endpoint.LogChanges, "POST", "/ace/diffs", 1},
		{endpoint.LogChanges, "GET", "/nowhere", 1},
		{endpoint.LogNone, "GET", "/ace/table-diff", 0},
	} {
		var text strings.Builder
		log := endpoint.NewRequestLog(slog.New(slog.NewTextHandler(&text, nil)), tt.which)
		ctx, trace := log.Begin(t.Context())
		trace.Identity = caller.NewIdentity(caller.Unrestricted("ci"), api.RequestedBy{From: "10.0.0.5", UserAgent: "secret-agent"})
		resp := everyRoute(t, nil).Handle(caller.NewContext(ctx, trace.Identity), request2(tt.method, tt.path))
		log.End(ctx, trace, tt.method, resp.Status)
		got := text.String()
		if strings.Count(got, "\n") != tt.lines || strings.Contains(strings.ReplaceAll(got, "method=SECRET", ""), "ecret") {
			t.Errorf("%+v: logged %q", tt, got)
		}
		if tt.lines == 1 && (!strings.Contains(got, "caller=ci from=10.0.0.5") || !strings.Contains(got, "duration=")) {
			t.Errorf("%+v: logged %q", tt, got)
		}
		if strings.HasSuffix(tt.path, "123456") != strings.Contains(got, "task_id=td_20240315_123456") {
			t.Errorf("%+v: logged %q", tt, got)
		}
	}
}

func request2(method, path string) endpoint.Request {
	req := request(path, "table_filter=secret")
	req.Method = method
	return req
}
