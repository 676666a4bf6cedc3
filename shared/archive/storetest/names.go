package storetest

import (
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// anyCharacters stores objects under keys with all characters that can come from quoted
// identifiers and their percent-encoding.
func anyCharacters(t *testing.T, s archive.Store) {
	names := []string{
		`percent%20encoded%2Fslash`, `percent%alone`, `with space`, `plus+sign`, `quote"double`, `quote'single`,
		`back\slash`, `amp&ersand=1`, `question?mark`, `hash#tag`, `semi;colon,comma`, `<xml>`, `$dollar@at!`,
		`(paren)[bracket]{brace}`, `tilde~caret^`, `Größe`, `表`, `emoji😀`, `café`,
	}
	for _, name := range names {
		put(t, s, "names/"+name, name)
	}
	for _, name := range names {
		if body := read(t, s, "names/"+name); body != name {
			t.Errorf("read %q from the object %q", body, name)
		}
	}
	want := make([]string, 0, len(names))
	for _, name := range names {
		want = append(want, "names/"+name)
	}
	slices.Sort(want)
	wantKeys(t, keys(t, s, "names/", ""), want)
	wantKeys(t, keys(t, s, "names/", want[7]), want[8:])
	for _, name := range names {
		if err := s.Delete(t.Context(), "names/"+name); err != nil {
			t.Errorf("Delete(%q): %v", name, err)
		}
	}
	wantKeys(t, keys(t, s, "", ""), nil)
}

func presignedDownload(t *testing.T, s archive.Store) {
	for fileName, disposition := range map[string]string{
		"td_20240315_123456.json": "attachment", `a "quoted" name.csv`: "attachment", "Größe 表.html": "inline",
	} {
		put(t, s, "diffs/a b", "content")
		value := mime.FormatMediaType(disposition, map[string]string{"filename": fileName})
		link, err := s.Presign(t.Context(), "diffs/a b", value, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		body, header := Download(t, link)
		if body != "content" {
			t.Errorf("downloaded %q", body)
		}
		got, params, err := mime.ParseMediaType(header.Get("Content-Disposition"))
		if err != nil || got != disposition || params["filename"] != fileName {
			t.Errorf("Content-Disposition is %q, want %s and the name %q", header.Get("Content-Disposition"), disposition, fileName)
		}
	}
}

func presignedUpload(t *testing.T, s archive.Store) {
	link, err := s.PresignPut(t.Context(), "incoming/a b", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	Upload(t, link, "content")
	object, err := s.Get(t.Context(), "incoming/a b")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if body, err := io.ReadAll(object.Body); err != nil || string(body) != "content" {
		t.Errorf("uploaded is %q, %v", body, err)
	}
}

// Download follows a presigned link, without credentials.
func Download(t testing.TB, link string) (string, http.Header) {
	t.Helper()
	return send(t, http.MethodGet, link, nil)
}

// Upload sends content to a presigned link, without credentials.
func Upload(t testing.TB, link, content string) {
	t.Helper()
	send(t, http.MethodPut, link, strings.NewReader(content))
}

func send(t testing.TB, method, link string, content io.Reader) (string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, link, content)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %s: %s", resp.Status, body)
	}
	return string(body), resp.Header
}

func presignLimits(t *testing.T, s archive.Store) {
	put(t, s, "a", "1")
	for _, valid := range []time.Duration{0, -time.Minute, time.Millisecond, 8 * 24 * time.Hour} {
		if _, err := s.Presign(t.Context(), "a", "a.json", valid); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("Presign for %s gave %v, want Invalid", valid, err)
		}
		if _, err := s.PresignPut(t.Context(), "a", valid); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("PresignPut for %s gave %v, want Invalid", valid, err)
		}
	}
}
