package api_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/api"
)

const sha256Name = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"

func TestParseDiffFile_AcceptsTaskIDsKeysAndAddresses(t *testing.T) {
	const key = "diffs/2024-03-15/td_20240315_123456.json"
	tests := []struct {
		text string
		want api.DiffFile
	}{
		{"td_20240315_123456", api.DiffFile{TaskID: "td_20240315_123456"}},
		{"tr_20240315_123456_0a9z00", api.DiffFile{TaskID: "tr_20240315_123456_0a9z00"}},
		{key, api.DiffFile{Key: key}},
		{"/path/to/diff.json", api.DiffFile{Path: "/path/to/diff.json"}},
		{"/" + key, api.DiffFile{Path: "/" + key}},
		{"/a b/../ö", api.DiffFile{Path: "/a b/../ö"}},
		{"diffs/2024-03-15/td_20240315_123456.html", api.DiffFile{Key: key}},
		{"diffs/2024-03-15/td_20240315_123456.csv", api.DiffFile{Key: key}},
		{"diffs/2024-03-15/tr_20240315_123456_0a9z00.json", api.DiffFile{Key: "diffs/2024-03-15/tr_20240315_123456_0a9z00.json"}},
		{"imports/" + sha256Name + ".json", api.DiffFile{Key: "imports/" + sha256Name + ".json"}},
		{"s3://ace/" + key, api.DiffFile{Bucket: "ace", Key: key}},
		{"s3://my.bucket-1/team/a/diffs/2024-03-15/td_20240315_123456.html", api.DiffFile{Bucket: "my.bucket-1", Key: "team/a/" + key}},
		{"s3://ace/diffs/imports/imports/" + sha256Name + ".csv", api.DiffFile{Bucket: "ace", Key: "diffs/imports/imports/" + sha256Name + ".json"}},
		{"s3://ace/imports/diffs/2024-03-15/td_20240315_123456.json", api.DiffFile{Bucket: "ace", Key: "imports/" + key}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := api.ParseDiffFile(tt.text)
			if err != nil || got != tt.want {
				t.Fatalf("got %+v, %v, want %+v", got, err, tt.want)
			}
			if again, err := api.ParseDiffFile(got.String()); err != nil || again != got {
				t.Errorf("%q is read as %+v, %v", got, again, err)
			}
		})
	}
}

func TestParseDiffFile_AcceptsOnlyNamesOfDocuments(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		"diffs/", "imports/", "tasks/", "s3://", "ace/", "../", "/", ".", "2024-03-15/", "td_20240315_123456", "tr_20240315_123456",
		sha256Name, ".json", ".html", ".csv", "\x00", "\n", "%2e", `\`, "é",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pieces, 0, 7).Draw(t, "pieces"), "")
		f, err := api.ParseDiffFile(text)
		if err != nil {
			return
		}
		if f.Path != "" {
			if f != (api.DiffFile{Path: text}) || !strings.HasPrefix(text, "/") {
				t.Fatalf("%q is read as %+v", text, f)
			}
			return
		}
		if set := f.TaskID != "" != (f.Key != ""); !set || f.Bucket != "" && f.Key == "" {
			t.Fatalf("%q is read as %+v", text, f)
		}
		if f.Key != "" && (!strings.HasSuffix(f.Key, ".json") || f.Bucket == "" && !strings.HasPrefix(f.Key, "diffs/") && !strings.HasPrefix(f.Key, "imports/")) {
			t.Fatalf("%q is read as %+v", text, f)
		}
		if f.Bucket == "" && strings.Contains(f.Key, "..") {
			t.Fatalf("%q climbs: %+v", text, f)
		}
	})
}

func FuzzParseDiffFile(f *testing.F) {
	f.Add("td_20240315_123456")
	f.Add("s3://ace/prefix/diffs/2024-03-15/td_20240315_123456.html")
	f.Add("imports/" + sha256Name + ".json")
	f.Add("/path/to/diff.json")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := api.ParseDiffFile(text)
		if err != nil {
			return
		}
		if again, err := api.ParseDiffFile(parsed.String()); err != nil || again != parsed {
			t.Fatalf("%q is read as %+v, which is read as %+v, %v", text, parsed, again, err)
		}
	})
}
