package api_test

import (
	"net/url"
	"testing"

	"ace/shared/api"
)

// FuzzTableCursor checks that a cursor is either refused, or leads to the table that it
// stands for.
func FuzzTableCursor(f *testing.F) {
	f.Add(api.TableCursor(api.TableName{Schema: "public", Name: "users"}))
	f.Add(api.TableCursor(api.TableName{Schema: "a\"b\n", Name: "ü.\u202e"}))
	f.Add("AA")
	f.Fuzz(func(t *testing.T, after string) {
		params, err := api.ParseParams("cluster_name=demo", "application/x-www-form-urlencoded", []byte("after="+url.QueryEscape(after)))
		if err != nil {
			return
		}
		req, err := api.DecodeTables(params)
		if err != nil {
			return
		}
		if req.After != (api.TableName{}) && api.TableCursor(req.After) != after {
			t.Errorf("after=%q is the table %+v", after, req.After)
		}
	})
}
