package diffarchive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/difftest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/render"
	"ace/shared/rowpairs"
)

// drift returns a document of 300 differences.
func drift(t *testing.T) string {
	t.Helper()
	list, pair := difftest.List{}, difffile.Pair{"n1", "n2"}
	for i := range 300 {
		list[pair] = append(list[pair], difftest.Found{Rows: [2]difffile.Row{difftest.Row(fmt.Sprint(i), "a"), difftest.Row(fmt.Sprint(i), "b")}})
	}
	s := difftest.Summary(pair[:], difffile.Column{Name: "id", Type: "bigint"}, difffile.Column{Name: "v", Type: "text"})
	return string(difftest.Document(t, s, list.Each))
}

// content returns an object's content and media type.
func content(t *testing.T, s archive.Store, key string) (body []byte, contentType string) {
	t.Helper()
	object, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if body, err = io.ReadAll(object.Body); err != nil {
		t.Fatal(err)
	}
	return body, object.ContentType
}

func TestRenderings_AreStoredNextToTheirDocumentAndMadeOnce(t *testing.T) {
	s := faulty.Wrap(memstore.New(t))
	body := drift(t)
	recorded := store(t, s, body)
	r := diffarchive.NewRenderings(s)
	for format, tt := range map[string]struct {
		contentType string
		render      func(context.Context, io.Writer, rowpairs.Opener) error
	}{
		api.FormatCSV:  {"text/csv; charset=utf-8; header=present", render.CSV},
		api.FormatHTML: {"text/html; charset=utf-8", render.HTML},
	} {
		t.Run(format, func(t *testing.T) {
			var callers sync.WaitGroup
			for range 8 {
				callers.Go(func() {
					info, err := r.Ensure(t.Context(), recorded, format)
					if err != nil || info.Key != strings.TrimSuffix(key, "json")+format || info.Size == 0 || info.LastModified.IsZero() {
						t.Errorf("got %+v, %v", info, err)
					}
				})
			}
			callers.Wait()
			var want bytes.Buffer
			if err := tt.render(t.Context(), &want, difftest.Opener(t, []byte(body))); err != nil {
				t.Fatal(err)
			}
			got, contentType := content(t, s, archive.RenderingKey(key, format))
			if !bytes.Equal(got, want.Bytes()) || contentType != tt.contentType {
				t.Errorf("the archive has %d bytes of %s, want %d of %s", len(got), contentType, want.Len(), tt.contentType)
			}
			before := s.Count(faulty.Create, "")
			if _, err := r.Ensure(t.Context(), recorded, format); err != nil || s.Count(faulty.Create, "") != before {
				t.Errorf("it was made again, error %v", err)
			}
		})
	}
}

func TestRenderings_OnlyTheRecordedDocumentIsRendered(t *testing.T) {
	s := memstore.New(t)
	body := drift(t)
	recorded := store(t, s, body)
	damaged := strings.Replace(body, `"v":"b"`, `"v":"c"`, 1)
	for name, tt := range map[string]struct {
		body string
		code fault.Code
		says string
	}{
		"another document":         {damaged, fault.Invalid, "it was changed"},
		"a truncated one":          {body[:len(body)-9], fault.Invalid, "truncated"},
		"an invalid one":           {strings.Replace(body, `"v":"b"`, `"v":7`, 1), fault.Invalid, "row 1"},
		"one in the peer's layout": {peer, fault.Invalid, "written by another tool"},
		"none":                     {"", fault.NotFound, "not in the archive any more"},
	} {
		t.Run(name, func(t *testing.T) {
			store(t, s, tt.body)
			if tt.body == "" {
				if err := s.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			for _, format := range []string{api.FormatCSV, api.FormatHTML} {
				_, err := diffarchive.NewRenderings(s).Ensure(t.Context(), recorded, format)
				if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.says) {
					t.Errorf("%s: got %v, want code %s and %q", format, err, tt.code, tt.says)
				}
				if _, err := s.Stat(t.Context(), archive.RenderingKey(key, format)); !errors.Is(err, archive.ErrNotFound) {
					t.Errorf("%s: a rendering is there: %v", format, err)
				}
			}
		})
	}
}

func TestRenderings_AnErrorOfTheStoreLeavesACompleteRenderingOrNone(t *testing.T) {
	s := faulty.Wrap(memstore.New(t))
	recorded := store(t, s, drift(t))
	r := diffarchive.NewRenderings(s)
	rendering := archive.RenderingKey(key, api.FormatCSV)
	for _, op := range []faulty.Op{faulty.Stat, faulty.GetRange, faulty.Create, faulty.Commit} {
		for _, outcome := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
			for nth, more := 1, true; more; nth++ {
				before := s.Count(op, "")
				s.On(op, "", faulty.Nth(nth, outcome))
				_, err := r.Ensure(t.Context(), recorded, api.FormatCSV)
				more = s.Count(op, "")-before >= nth
				s.Heal()
				if err != nil && fault.CodeOf(err) != fault.Unavailable {
					t.Errorf("%s, call %d, outcome %d: %v", op, nth, outcome, err)
				}
				if _, err := r.Ensure(t.Context(), recorded, api.FormatCSV); err != nil {
					t.Errorf("%s, call %d, outcome %d: the next call returns %v", op, nth, outcome, err)
				}
				if err := s.Delete(t.Context(), rendering); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestRenderings_TheWaitForASlotEndsWithTheContext(t *testing.T) {
	s := faulty.Wrap(memstore.New(t))
	recorded := store(t, s, drift(t))
	s.On(faulty.Create, "", faulty.Always(faulty.Hang))
	r := diffarchive.NewRenderings(s)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the caller is gone")
	var callers sync.WaitGroup
	for range 5 { // more than are rendered at once
		callers.Go(func() {
			if _, err := r.Ensure(ctx, recorded, api.FormatCSV); err == nil {
				t.Error("a rendering was made")
			}
		})
	}
	for s.Count(faulty.Create, "") < 2 { // all slots are taken
		time.Sleep(time.Millisecond)
	}
	cancel(gone)
	callers.Wait()
	if n := s.Count(faulty.Create, ""); n != 2 {
		t.Errorf("%d were rendered at once", n)
	}
}
