package api_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/shared/api"
	"ace/shared/fault"
)

func TestDecodeDiffs(t *testing.T) {
	day := time.Date(2024, 3, 15, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		query string
		want  api.DiffsRequest
		err   string
	}{
		{"", api.DiffsRequest{Limit: 50}, ""},
		{"cluster_name=demo&table_name=public.Users&limit=1000&after=1-td", api.DiffsRequest{
			ClusterName: "demo", TableName: api.TableName{Schema: "public", Name: "users"}, Limit: 1000, After: "1-td",
		}, ""},
		{"since=2024-03-15&until=2024-03-15T02:00:00.5%2B01:00", api.DiffsRequest{Since: day, Until: day.Add(time.Hour + 500*time.Millisecond), Limit: 50}, ""},
		{"verdict=match", api.DiffsRequest{Verdict: "match", Limit: 50}, ""},
		{"verdict=MATCH", api.DiffsRequest{}, `verdict is "MATCH"; it must be match or differ`},
		{"since=yesterday", api.DiffsRequest{}, `since is "yesterday"; it must be a date such as 2024-03-15 or a time such as 2024-03-15T12:34:56Z`},
		{"until=1712-01-01", api.DiffsRequest{}, `until is "1712-01-01"; it must be a date such as 2024-03-15 or a time such as 2024-03-15T12:34:56Z`},
		{"since=2024-03-15&until=2024-03-15", api.DiffsRequest{},
			"until is 2024-03-15T00:00:00.000Z; it must be a time after since (2024-03-15T00:00:00.000Z)"},
		{"limit=0", api.DiffsRequest{}, `limit is "0"; it must be a whole number from 1 to 1000`},
		{"after=%20x", api.DiffsRequest{}, `after is " x"; it must be the value of next of the previous page`},
		{"cluster_name=..", api.DiffsRequest{}, `cluster_name is ".."; it must be 1 to 63 of the characters A-Z a-z 0-9 . _ - with a letter or digit first`},
		{"table=x", api.DiffsRequest{}, `unknown parameter "table" (did you mean table_name?); the parameters are cluster_name, table_name, verdict, since, until, limit, after`},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			params, err := api.ParseParams(tt.query, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := api.DecodeDiffs(params)
			if tt.err != "" {
				if err == nil || fault.PublicMessage(err) != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("error %v, -want +got:\n%s", err, diff)
			}
		})
	}
}
