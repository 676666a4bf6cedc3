package api_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ace/shared/api"
	"ace/shared/fault"
)

const minimal = "cluster_name=demo&table_name=public.users"

func decodeTableDiff(t *testing.T, rawQuery, contentType, body string) api.TableDiffRequest {
	t.Helper()
	params, err := api.ParseParams(rawQuery, contentType, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req, err := api.DecodeTableDiff(params)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// expected returns the request of minimal with changes.
func expected(change func(*api.TableDiffRequest)) api.TableDiffRequest {
	req := api.NewTableDiffRequest()
	req.ClusterName, req.Table = "demo", api.TableName{Schema: "public", Name: "users"}
	change(&req)
	return req
}

func TestDecodeTableDiff_FillsInTheDefaultsOfTheReference(t *testing.T) {
	want := api.TableDiffRequest{
		ClusterName:  "demo",
		Table:        api.TableName{Schema: "public", Name: "users"},
		BlockRows:    10000,
		MaxCPURatio:  0.8,
		BatchSize:    50,
		Output:       "json",
		MaxDiffRows:  1_000_000,
		ConfirmDelay: api.Duration(time.Second),
		Checksum:     "auto",
	}
	if got := decodeTableDiff(t, minimal, "", ""); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestDecodeTableDiff_Accepts(t *testing.T) {
	type request = api.TableDiffRequest
	tests := []struct {
		query string
		want  func(*request)
	}{
		{"dbname=acedb", func(r *request) { r.DBName = "acedb" }},
		{"block_rows=1000", func(r *request) { r.BlockRows = 1000 }},
		{"block_rows=1000000", func(r *request) { r.BlockRows = 1_000_000 }},
		{"block_rows=1", func(r *request) { r.BlockRows = 1 }},
		{"block_rows=99999999999999999999", func(r *request) { r.BlockRows = math.MaxInt }},
		{"batch_size=1001", func(r *request) { r.BatchSize = 1001 }},
		{"max_cpu_ratio=1", func(r *request) { r.MaxCPURatio = 1 }},
		{"max_cpu_ratio=.25", func(r *request) { r.MaxCPURatio = 0.25 }},
		{"batch_size=1000", func(r *request) { r.BatchSize = 1000 }},
		{"output=json", func(*request) {}},
		{"output=csv", func(r *request) { r.Output = "csv" }},
		{"output=html", func(r *request) { r.Output = "html" }},
		{"nodes=all", func(*request) {}},
		{"nodes=n1,%20n2", func(r *request) { r.Nodes = []string{"n1", "n2"} }},
		{"table_filter=a%20%3D%20'x%3By'", func(r *request) { r.TableFilter = "a = 'x;y'" }},
		{"table_filter=" + strings.Repeat("x", 8192), func(r *request) { r.TableFilter = strings.Repeat("x", 8192) }},
		{"table_filter=%20Where%20a%20%3D%201", func(r *request) { r.TableFilter = "a = 1" }},
		{"quiet=YES", func(r *request) { r.Quiet = true }},
		{"quiet=t", func(r *request) { r.Quiet = true }},
		{"quiet=1", func(r *request) { r.Quiet = true }},
		{"quiet=false", func(*request) {}},
		{"quiet=No", func(*request) {}},
		{"max_diff_rows=1", func(r *request) { r.MaxDiffRows = 1 }},
		{"ignore_columns=Seen_At,%20%22Last%20Name%22,%22a,b%22", func(r *request) {
			r.IgnoreColumns = []string{"seen_at", "Last Name", "a,b"}
		}},
		{"confirm_delay=0", func(r *request) { r.ConfirmDelay = 0 }},
		{"confirm_delay=500ms", func(r *request) { r.ConfirmDelay = api.Duration(500 * time.Millisecond) }},
		{"confirm_delay=1.5s", func(r *request) { r.ConfirmDelay = api.Duration(1500 * time.Millisecond) }},
		{"confirm_delay=2.5", func(r *request) { r.ConfirmDelay = api.Duration(2500 * time.Millisecond) }},
		{"confirm_delay=10m", func(r *request) { r.ConfirmDelay = api.Duration(10 * time.Minute) }},
		{"checksum=sha256", func(r *request) { r.Checksum = "sha256" }},
	}
	for _, tt := range tests {
		t.Run(tt.query[:min(len(tt.query), 60)], func(t *testing.T) {
			if got, want := decodeTableDiff(t, minimal+"&"+tt.query, "", ""), expected(tt.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestDecodeTableDiff_AFormAndAJSONObjectAreEquivalent(t *testing.T) {
	form := minimal + "&block_rows=20000&max_cpu_ratio=0.5&quiet=true&nodes=n1,n3&table_filter=a%3D1&confirm_delay=2"
	object := `{"cluster_name": "demo", "table_name": "public.users", "block_rows": 20000, "max_cpu_ratio": 0.5,
		"quiet": true, "nodes": ["n1", "n3"], "table_filter": "a=1", "confirm_delay": 2}`
	want := decodeTableDiff(t, form, "", "")
	if got := decodeTableDiff(t, "", "application/x-www-form-urlencoded", form); !reflect.DeepEqual(got, want) {
		t.Errorf("form: got %+v\nwant %+v", got, want)
	}
	if got := decodeTableDiff(t, "", "application/json; charset=utf-8", object); !reflect.DeepEqual(got, want) {
		t.Errorf("object: got %+v\nwant %+v", got, want)
	}
}

func TestTableDiffRequest_IsEqualAfterEncodingAndDecoding(t *testing.T) {
	name := rapid.StringMatching(`[a-zA-Z".ü]{1,12}`)
	rapid.Check(t, func(t *rapid.T) {
		want := expected(func(r *api.TableDiffRequest) {
			r.Table = api.TableName{Schema: name.Draw(t, "schema"), Name: name.Draw(t, "table")}
			r.DBName = rapid.String().Draw(t, "dbname")
			r.BlockRows = rapid.Int().Draw(t, "block_rows")
			r.MaxCPURatio = rapid.Float64Range(0, 1).Draw(t, "ratio")
			r.TableFilter = rapid.String().Draw(t, "filter")
			r.Quiet = rapid.Bool().Draw(t, "quiet")
			r.MaxDiffRows = rapid.Int64().Draw(t, "max_diff_rows")
			r.ConfirmDelay = api.Duration(rapid.Int64().Draw(t, "delay"))
			if rapid.Bool().Draw(t, "lists") {
				r.Nodes = rapid.SliceOfN(name, 1, 4).Draw(t, "nodes")
				r.IgnoreColumns = rapid.SliceOfN(name, 1, 4).Draw(t, "columns")
			}
		})
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got api.TableDiffRequest
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nis read as %+v\nwritten was %+v", data, got, want)
		}
	})
}

func TestValidate_RejectsValuesThatNoParameterCanHave(t *testing.T) {
	tests := []struct {
		name   string
		change func(*api.TableDiffRequest)
		want   string
	}{
		{"NaN", func(r *api.TableDiffRequest) { r.MaxCPURatio = math.NaN() },
			`max_cpu_ratio is "NaN"; it must be a number greater than 0 and at most 1`},
		{"an empty list of nodes", func(r *api.TableDiffRequest) { r.Nodes = []string{} },
			`nodes is ""; it must be "all" or at least two different nodes of the cluster separated by commas`},
		{"a negative delay", func(r *api.TableDiffRequest) { r.ConfirmDelay = -1 },
			`confirm_delay is "-1ns"; it must be a time from 0 to 10m such as 1s, 500ms or 0`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := expected(tt.change).Validate()
			if fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) != tt.want {
				t.Errorf("Validate() = %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzDecodeTableDiff(f *testing.F) {
	f.Add(minimal, "", "")
	f.Add("", "application/x-www-form-urlencoded", minimal+"&nodes=n1,n2")
	f.Add("", "application/json", `{"cluster_name": "demo", "table_name": "a.b", "nodes": ["n1", "n2"], "quiet": true}`)
	f.Add("quiet=1", "application/json", `{"quiet": [[]], "x": {"y": null}}`)
	f.Add(minimal+"&ignore_columns=%22a%22%22b%22,c&confirm_delay=1.5", "", "")
	f.Fuzz(func(t *testing.T, rawQuery, contentType, body string) {
		params, err := api.ParseParams(rawQuery, contentType, []byte(body))
		if err == nil {
			var req api.TableDiffRequest
			req, err = api.DecodeTableDiff(params)
			if err == nil {
				err = req.Validate()
				if err != nil {
					t.Fatalf("decoded, yet not valid: %v", err)
				}
			}
		}
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("a bad request returned code %s: %v", fault.CodeOf(err), err)
		}
	})
}
