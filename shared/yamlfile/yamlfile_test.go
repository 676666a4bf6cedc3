package yamlfile_test

import (
	"strings"
	"testing"

	"ace/shared/yamlfile"
)

func TestEntries_ReportsWhatIsWrongWithTheFile(t *testing.T) {
	for content, want := range map[string]string{
		"":                        "f.yaml: the file is empty; write jobs: [...]",
		"jobs: []\n---\njobs: []": "f.yaml: the file has more than one YAML document",
		"{}":                      "f.yaml: jobs is missing; write jobs: [...]",
		"jobs: 1":                 "f.yaml, line 1: jobs must be a list of jobs",
		"- a":                     "f.yaml, line 1: this must be a mapping with the fields jobs",
		"jobs: []\njobs: []":      `f.yaml, line 2: "jobs" is given twice; give it once`,
		"jobs: []\nace_token: 1":  "f.yaml, line 2: ",
		"jobs: [ace_token":        "f.yaml: not valid YAML",
		"jobs: [" + strings.Repeat(" ", 200) + "]": "f.yaml: the file has 208 bytes; the maximum is 200",
	} {
		for _, secret := range []bool{false, true} {
			r := yamlfile.Reader{File: "f.yaml", Entry: "job", MaxSize: 200, Secret: secret}
			r.Entries([]byte(content))
			err := r.Err()
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%.40q, secret %t: %v, want %s", content, secret, err, want)
			}
			if secret && err != nil && strings.Contains(err.Error(), "ace_token") {
				t.Errorf("%.40q: %v quotes the file", content, err)
			}
		}
	}
}

func TestEntries_ReturnsTheEntries(t *testing.T) {
	r := yamlfile.Reader{File: "f.yaml", Entry: "job", MaxSize: 200}
	entries := r.Entries([]byte("jobs:\n  - {name: a}\n  - b"))
	if len(entries) != 2 || entries[1].Value != "b" || r.Err() != nil {
		t.Fatalf("%v, %v", entries, r.Err())
	}
	fields := r.Fields(entries[0], "1", nil, "any")
	r.Note(entries[1].Line, "2", "this is %q", entries[1].Value)
	if fields["name"].Value != "a" || r.Err() == nil || r.Err().Error() != `f.yaml, line 3, job 2: this is "b"` {
		t.Errorf("%v, %v", fields, r.Err())
	}
}
