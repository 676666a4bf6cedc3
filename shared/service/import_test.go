package service_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/archive/storetest"
	"ace/shared/fault"
)

// objects returns the keys in the store that begin with a prefix.
func (b *bench) objects(t *testing.T, prefix string) []string {
	t.Helper()
	var keys []string
	err := b.store.List(t.Context(), prefix, "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestImport_StoresADocumentUnderItsSHA256Once(t *testing.T) {
	b := newBench(t)
	large := strings.Replace(peersDocument, "[]", "["+strings.Repeat(`{"id":1},`, 2<<20)+`{"id":2}]`, 1) // more than one part
	for name, body := range map[string]string{"ours": users(), "the peer's": peersDocument, "with space after it": peersDocument + " \n", "a large one": large} {
		for range 2 {
			got, err := b.Import(t.Context(), api.ImportRequest{}, strings.NewReader(body))
			if want := "imports/" + hash(body) + ".json"; err != nil || got.DiffFile != want {
				t.Errorf("%s: got %+v, %v, want %s", name, got, err, want)
			}
		}
		object, err := b.store.Get(t.Context(), archive.ImportKey(hash(body)))
		if err != nil {
			t.Fatal(err)
		}
		stored, err := io.ReadAll(object.Body)
		object.Body.Close()
		if err != nil || string(stored) != body {
			t.Errorf("%s: stored are %d bytes of %d, %v", name, len(stored), len(body), err)
		}
	}
	if left := b.objects(t, archive.IncomingPrefix); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func TestImport_StoresNothingOfAnInvalidDocument(t *testing.T) {
	b := newBench(t)
	tooLarge := fault.New(fault.TooLarge, "the request body is too large")
	for name, tt := range map[string]struct {
		body io.Reader
		code fault.Code
	}{
		"empty":                  {strings.NewReader(""), fault.Invalid},
		"no JSON":                {strings.NewReader("id,name\n1,Ann\n"), fault.Invalid},
		"other JSON":             {strings.NewReader(`{"rows": []}`), fault.Invalid},
		"cut off":                {strings.NewReader(users()[:len(users())-2]), fault.Invalid},
		"a key of 20 MB":         {strings.NewReader(fmt.Sprintf(`{"diffs":{"n1/n2":{"n1":[{"%s":1}],"n2":[]}}}`, strings.Repeat("k", 20<<20))), fault.Invalid},
		"two documents":          {strings.NewReader(users() + users()), fault.Invalid},
		"more than is allowed":   {io.MultiReader(strings.NewReader(users()[:50]), failing{tooLarge}), fault.TooLarge},
		"too large at its end":   {io.MultiReader(strings.NewReader(users()), failing{tooLarge}), fault.TooLarge},
		"a client that went off": {io.MultiReader(strings.NewReader(users()[:50]), failing{errors.New("reset")}), fault.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := b.Import(t.Context(), api.ImportRequest{}, tt.body); fault.CodeOf(err) != tt.code {
				t.Errorf("got %+v, %v", got, err)
			}
			if left := b.objects(t, "i"); len(left) > 0 { // imports/ and incoming/
				t.Errorf("left are %v", left)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestImport_ThatFailsHalfwayCanBeRepeated(t *testing.T) {
	for _, prefix := range []string{archive.IncomingPrefix, archive.ImportPrefix} {
		for _, outcome := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
			b := newBench(t)
			b.store.On(faulty.Commit, prefix, faulty.First(1, outcome))
			if _, err := b.Import(t.Context(), api.ImportRequest{}, strings.NewReader(peersDocument)); fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("%s: %v", prefix, err)
			}
			got, err := b.Import(t.Context(), api.ImportRequest{}, strings.NewReader(peersDocument))
			if err != nil || len(b.objects(t, archive.ImportPrefix)) != 1 {
				t.Errorf("%s: again %+v, %v", prefix, got, err)
			}
		}
	}
}

// upload sends a document to an upload URL and returns the name of the upload.
func (b *bench) upload(t *testing.T, body string) string {
	t.Helper()
	got, err := b.Import(t.Context(), api.ImportRequest{Upload: api.UploadNew}, strings.NewReader(""))
	if err != nil || got.DiffFile != "" || got.UploadURL == "" || got.ExpiresAt.IsZero() {
		t.Fatalf("got %+v, %v", got, err)
	}
	storetest.Upload(t, got.UploadURL, body)
	return got.Upload
}

func TestImport_AnUploadAndABodyAreImportedInTheSameWay(t *testing.T) {
	b := newBench(t)
	for range 2 {
		upload := b.upload(t, peersDocument)
		got, err := b.Import(t.Context(), api.ImportRequest{Upload: upload}, strings.NewReader(""))
		if want := archive.ImportKey(hash(peersDocument)); err != nil || got.DiffFile != want || got.UploadURL != "" {
			t.Errorf("got %+v, %v, want %s", got, err, want)
		}
		if _, err := b.Import(t.Context(), api.ImportRequest{Upload: upload}, strings.NewReader("")); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("again: %v", err)
		}
	}
	if left := b.objects(t, "i"); len(left) != 1 {
		t.Errorf("left are %v", left)
	}
}

func TestImport_AnInvalidUploadIsDeleted(t *testing.T) {
	b := newBench(t)
	for body, code := range map[string]fault.Code{
		"id,name\n": fault.Invalid, users()[:50]: fault.Invalid, users() + strings.Repeat(" ", 1<<20): fault.TooLarge,
	} {
		upload := b.upload(t, body)
		if _, err := b.Import(t.Context(), api.ImportRequest{Upload: upload}, strings.NewReader(users())); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("with a body: %v", err)
		}
		if got, err := b.Import(t.Context(), api.ImportRequest{Upload: upload}, strings.NewReader("")); fault.CodeOf(err) != code {
			t.Errorf("%.20q: got %+v, %v", body, got, err)
		}
		if left := b.objects(t, "i"); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	}
}
