package main_test

import (
	"strings"
	"testing"

	"ace/shared/pg/pgtest"
)

func TestDoctor_ChecksTheArchive(t *testing.T) {
	t.Parallel()
	code, text := run(t, t.TempDir(), nil, "doctor")
	for _, want := range []string{
		"the archive file://./ace-data keeps what the service needs\n",
		"no cluster is defined in ./clusters or a pg_service.conf\n",
	} {
		if code != 0 || !strings.Contains(text, want) {
			t.Errorf("exit code %d, want 0 and %s:\n%s", code, want, text)
		}
	}
	bucket := settings{"ACE_STORE": "s3://bucket?endpoint=http://127.0.0.1:1&region=r", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
	code, text = run(t, t.TempDir(), bucket, "doctor")
	if want := "ace: the archive s3://bucket/?endpoint=http%3A%2F%2F127.0.0.1%3A1&region=r cannot be used: "; code != 1 || !strings.Contains(text, want) {
		t.Errorf("exit code %d: %s", code, text)
	}
}

func TestDoctor_BesideARunningServiceChecksTheRest(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	h := newHome(t, c)
	s := h.serve(t, nil)
	want := "the data directory " + h.data() + " is in use: another ace serve is running on it; it has checked the archive itself\n" +
		"the definitions of these clusters can be used: " + c.Name + "\n"
	if code, text := run(t, h.dir, nil, "doctor"); code != 0 || text != want {
		t.Errorf("exit code %d, want 0:\n%swant\n%s", code, text, want)
	}
	s.read(t, "/healthz", "", new(any))
}

func TestDoctor_NamesEveryDefinitionThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	h := newHome(t, c)
	h.define(t, "broken.json", "{")
	h.define(t, "empty.json", `{"pgedge": {"databases": []}}`)
	code, text := run(t, h.dir, nil, "doctor")
	for _, want := range []string{
		"keeps what the service needs\n", "these clusters can be used: " + c.Name + "\n", "ace: clusters/broken.json", "\nclusters/empty.json",
	} {
		if code != exitConfig || !strings.Contains(text, want) {
			t.Errorf("exit code %d, want %d and %q:\n%s", code, exitConfig, want, text)
		}
	}
}
