package api_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"ace/shared/api"
)

const ofDocument = minimal + "&diff_file=td_20240315_123456"

// decode decodes a query string with one of the Decode functions.
func decode[Req any](t *testing.T, fn func(api.Params) (Req, error), rawQuery string) Req {
	t.Helper()
	params, err := api.ParseParams(rawQuery, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	req, err := fn(params)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// checkJSON checks that a request is equal after encoding and decoding.
func checkJSON[Req any](t *testing.T, want Req) {
	t.Helper()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Req
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nis read as %+v, %v\nwritten was %+v", data, got, err, want)
	}
}

func TestDecodeTableRerun(t *testing.T) {
	standard := api.TableRerunRequest{
		ClusterName: "demo", DiffFile: api.DiffFile{TaskID: "td_20240315_123456"},
		Table: api.TableName{Schema: "public", Name: "users"}, Behavior: "multiprocessing", MaxCPURatio: 0.8,
		Output: "json", MaxDiffRows: 1_000_000, ConfirmDelay: api.Duration(time.Second), Checksum: "auto",
	}
	all := api.TableRerunRequest{
		ClusterName: "demo", DiffFile: api.DiffFile{Bucket: "ace", Key: "x/diffs/2024-03-15/td_20240315_123456.json"},
		Table: api.TableName{Schema: "public", Name: "users"}, DBName: "acedb", Quiet: true, Behavior: "hostdb", MaxCPURatio: 0.5,
		Output: "json", MaxDiffRows: 7, ConfirmDelay: 0, Checksum: "sha256",
	}
	tests := []struct {
		name, query string
		want        api.TableRerunRequest
	}{
		{"fills in the defaults", ofDocument, standard},
		{"takes everything", minimal + "&diff_file=s3://ace/x/diffs/2024-03-15/td_20240315_123456.html&dbname=acedb&quiet=yes&behavior=hostdb" +
			"&max_cpu_ratio=.5&output=json&max_diff_rows=7&confirm_delay=0&checksum=sha256", all},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := decode(t, api.DecodeTableRerun, tt.query)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			checkJSON(t, got)
		})
	}
}
