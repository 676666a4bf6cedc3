package endpoint_test

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"ace/infra/testkit/apicases"
	"ace/infra/testkit/endpointtest"
	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/fault"
)

// request returns a GET request that a test can change.
func request(path, rawQuery string) endpoint.Request {
	return endpoint.Request{Method: "GET", Path: path, RawQuery: rawQuery, Header: endpoint.Header{}}
}

func TestContract_EveryTransportRejectsABadRequestInTheSameWay(t *testing.T) {
	var submitted submissions
	mux := newMux(t,
		endpoint.JSON(api.RouteTableDiff, api.DecodeTableDiff, recorded[api.TableDiffRequest](&submitted)),
		endpoint.JSON(api.RouteTableRerun, api.DecodeTableRerun, recorded[api.TableRerunRequest](&submitted)),
		endpoint.JSON(api.RouteTableRepair, api.DecodeTableRepair, recorded[api.TableRepairRequest](&submitted)),
		endpoint.JSON(api.RouteTableUndo, api.DecodeTableUndo, recorded[api.TableUndoRequest](&submitted)),
		endpoint.JSON(api.RouteSchemaDiff, api.DecodeSchemaDiff, recorded[api.SchemaDiffRequest](&submitted)),
		endpoint.JSON(api.RouteRepsetDiff, api.DecodeRepsetDiff, recorded[api.RepsetDiffRequest](&submitted)),
		endpoint.JSON(api.RouteReplicationDiff, api.DecodeReplicationDiff, recorded[api.ReplicationDiffRequest](&submitted)),
		endpoint.JSON(api.RouteClusters, api.DecodeClusters, recorded[api.ClustersRequest](&submitted)),
		endpoint.JSON(api.RouteClusterCheck, api.DecodeClusterCheck, recorded[api.ClusterCheckRequest](&submitted)),
		endpoint.JSON(api.RouteTables, api.DecodeTables, recorded[api.TablesRequest](&submitted)),
		endpoint.JSON(api.RouteAudit, api.DecodeAudit, recorded[api.AuditRequest](&submitted)),
		endpoint.Receiving(endpoint.JSON(api.RouteRules, api.DecodeRules, recorded[api.RulesRequest](&submitted)), api.MaxRules, api.DecodeAddRules,
			func(ctx context.Context, req api.AddRulesRequest, _ io.Reader) (api.Submitted, error) {
				return recorded[api.AddRulesRequest](&submitted)(ctx, req)
			}))
	transports := endpointtest.Both(t, mux)
	cases := apicases.Bad()
	if len(cases) < 150 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			for _, transport := range transports {
				resp := checkAnswer(t, transport, caseRequest(c), c.Status, c.Answer())
				if allow := resp.Header["Allow"]; c.Status == http.StatusMethodNotAllowed && (allow == "" || !strings.HasSuffix(c.Error, "; use "+allow)) {
					t.Errorf("%s: Allow is %q", transport.Name, allow)
				}
			}
		})
	}
	if len(submitted) > 0 {
		t.Errorf("a use case was called: %+v", submitted)
	}
}

func TestContract_EveryTransportAcceptsAGoodRequest(t *testing.T) {
	var submitted submissions
	transports := endpointtest.Both(t, newMux(t,
		endpoint.JSON(api.RouteTableDiff, api.DecodeTableDiff, recorded[api.TableDiffRequest](&submitted)),
		endpoint.JSON(api.RouteTableRerun, api.DecodeTableRerun, recorded[api.TableRerunRequest](&submitted)),
		endpoint.JSON(api.RouteTableRepair, api.DecodeTableRepair, recorded[api.TableRepairRequest](&submitted)),
		endpoint.JSON(api.RouteSchemaDiff, api.DecodeSchemaDiff, recorded[api.SchemaDiffRequest](&submitted)),
		endpoint.JSON(api.RouteRepsetDiff, api.DecodeRepsetDiff, recorded[api.RepsetDiffRequest](&submitted)),
		endpoint.JSON(api.RouteReplicationDiff, api.DecodeReplicationDiff, recorded[api.ReplicationDiffRequest](&submitted)),
		endpoint.JSON(api.RouteClusters, api.DecodeClusters, recorded[api.ClustersRequest](&submitted)),
		endpoint.JSON(api.RouteClusterCheck, api.DecodeClusterCheck, recorded[api.ClusterCheckRequest](&submitted)),
		endpoint.JSON(api.RouteTables, api.DecodeTables, recorded[api.TablesRequest](&submitted))))
	for _, c := range apicases.Good() {
		t.Run(c.Name, func(t *testing.T) {
			submitted = nil
			for _, transport := range transports {
				checkAnswer(t, transport, caseRequest(c), 200, `{"task_id":"","submitted_at":"0001-01-01T00:00:00.000Z"}`+"\n")
			}
			if len(submitted) != len(transports) || !reflect.DeepEqual(submitted[0], submitted[1]) || !reflect.DeepEqual(submitted[0], submitted[2]) {
				t.Errorf("the use case got %+v", submitted)
			}
		})
	}
}

// submissions are the requests that reached a use case.
type submissions []any

func recorded[Req any](s *submissions) func(context.Context, Req) (api.Submitted, error) {
	return func(_ context.Context, req Req) (api.Submitted, error) {
		*s = append(*s, req)
		return api.Submitted{}, nil
	}
}

func caseRequest(c apicases.Case) endpoint.Request {
	req := request(c.Path, c.RawQuery)
	req.Method, req.Body = c.Method, []byte(c.Body)
	if c.ContentType != "" {
		req.Header["content-type"] = c.ContentType
	}
	return req
}

func TestContract_AValidTableDiffReachesTheUseCaseOnEveryTransport(t *testing.T) {
	const form = "cluster_name=demo&table_name=public.users&nodes=n1,n2&quiet=1&table_filter=name%20%3D%20'%C3%BC%25'"
	get := request("/ace/table-diff", form)
	post := request("/ace/table-diff", "")
	post.Method, post.Body = "POST", []byte(form)
	post.Header["content-type"] = "application/x-www-form-urlencoded"
	object := request("/ace/table-diff", "quiet=1")
	object.Method = "POST"
	object.Body = []byte(`{"cluster_name": "demo", "table_name": "public.users", "nodes": ["n1", "n2"], "table_filter": "name = 'ü%'"}`)
	object.Header["content-type"] = "application/json"

	want := api.NewTableDiffRequest()
	want.ClusterName, want.Table = "demo", api.TableName{Schema: "public", Name: "users"}
	want.Nodes, want.Quiet, want.TableFilter = []string{"n1", "n2"}, true, "name = 'ü%'"

	var got api.TableDiffRequest
	mux := newMux(t, endpoint.JSON(api.RouteTableDiff, api.DecodeTableDiff,
		func(_ context.Context, req api.TableDiffRequest) (api.Submitted, error) {
			got = req
			return api.Submitted{TaskID: "td_20240315_123456"}, nil
		}))
	body := `{"task_id":"td_20240315_123456","submitted_at":"0001-01-01T00:00:00.000Z"}` + "\n"
	for _, transport := range endpointtest.Both(t, mux) {
		for name, req := range map[string]endpoint.Request{"GET": get, "POST form": post, "POST object": object} {
			got = api.TableDiffRequest{}
			checkAnswer(t, transport, req, 200, body)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: the use case got %+v", transport.Name, name, got)
			}
		}
	}
}

func TestContract_EveryErrorCodeHasTheSameStatusOnEveryTransport(t *testing.T) {
	tests := []struct {
		code   fault.Code
		status int
		header string
	}{
		{fault.Invalid, 400, ""},
		{fault.Forbidden, 403, ""},
		{fault.NotFound, 404, ""},
		{fault.Method, 405, "Allow"},
		{fault.Conflict, 409, ""},
		{fault.TooLarge, 413, ""},
		{fault.Internal, 500, ""},
		{fault.Unavailable, 503, "Retry-After"},
		{fault.Cancelled, 503, "Retry-After"},
	}
	for _, tt := range tests {
		t.Run(string(tt.code), func(t *testing.T) {
			mux := newMux(t, failing(fault.New(tt.code, "it is <%s>", tt.code)))
			for _, transport := range endpointtest.Both(t, mux) {
				resp := checkAnswer(t, transport, request("/healthz", ""), tt.status, `{"error":"it is <`+string(tt.code)+`>"}`+"\n")
				if tt.header != "" && resp.Header[tt.header] == "" {
					t.Errorf("%s: header %s is missing", transport.Name, tt.header)
				}
			}
		})
	}
}

func TestContract_OnlyReadOnlyRoutesAcceptHEAD(t *testing.T) {
	for _, route := range api.Routes() {
		served := false
		mux := newMux(t, endpoint.JSON(route, func(p api.Params) (api.Params, error) { return p, nil },
			func(context.Context, api.Params) (string, error) { served = true; return "ok", nil }))
		req := request(route.Path("td_20240315_123456"), "")
		req.Method = "HEAD"
		status, allow := 405, "GET, POST"
		switch route {
		case api.RouteTaskStatus, api.RouteTasks, api.RouteDiffs, api.RouteDiff, api.RouteReport, api.RouteBefore, api.RouteRules, api.RouteSchedules, api.RouteAudit,
			api.RouteClusters, api.RouteClusterCheck, api.RouteTables, api.RouteOpenAPI, api.RouteHealth, api.RouteReady:
			status, allow = 200, ""
		}
		for _, transport := range endpointtest.Both(t, mux) {
			served = false
			resp := checkAnswer(t, transport, req, status, "")
			if resp.Header["Allow"] != allow || served != (status == 200) {
				t.Errorf("%s, HEAD %s: Allow is %q, served: %v", transport.Name, route, resp.Header["Allow"], served)
			}
		}
	}
}

// failing returns an endpoint whose use case returns err.
func failing(err error) endpoint.Endpoint {
	return endpoint.JSON(api.RouteHealth, api.DecodeHealth,
		func(context.Context, api.HealthRequest) (api.Health, error) { return api.Health{}, err })
}

func checkAnswer(t *testing.T, transport endpointtest.Transport, req endpoint.Request, status int, body string) endpoint.Response {
	t.Helper()
	resp := transport.Do(req)
	if resp.Status != status || string(resp.Body) != body {
		t.Errorf("%s: got %d %s\nwant %d %s", transport.Name, resp.Status, resp.Body, status, body)
	}
	if got := resp.Header["Content-Type"]; got != "application/json" {
		t.Errorf("%s: Content-Type is %q", transport.Name, got)
	}
	if got := resp.Header["Cache-Control"]; got != "no-store" {
		t.Errorf("%s: Cache-Control is %q", transport.Name, got)
	}
	return resp
}
