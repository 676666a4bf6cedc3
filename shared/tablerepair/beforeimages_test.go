//go:build !unit

package tablerepair_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// record returns the repair's task.
func (b *bench) record(t *testing.T) task.Record {
	t.Helper()
	rec, err := b.tasks.Get(t.Context(), b.job.TaskID)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// read returns an object, which must match its record.
func (b *bench) read(t *testing.T, recorded task.Document) string {
	t.Helper()
	object, err := b.store.Get(t.Context(), recorded.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(body); int64(len(body)) != recorded.Size || hex.EncodeToString(sum[:]) != recorded.SHA256 {
		t.Errorf("%s has %d bytes and the SHA-256 %x, recorded is %+v", recorded.Key, len(body), sum, recorded)
	}
	return string(body)
}

const rowsBefore = `"columns":[{"name":"id","type":"integer"},{"name":"v","type":"text"}],"rows":[
{"op":"insert","key":["1"],"before":null},
{"op":"update","key":["2"],"before":{"id":2,"v":"x"}},
{"op":"delete","key":["4"],"before":{"id":4,"v":"y"}}]}]}
`

func TestBeforeImages_AreTheRowsThatTheRepairChanged(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.crashed(t, func(context.Context, func(context.Context) error) error { return errLost }) // an attempt that changed nothing
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "2")
	images := tablerepair.NewBeforeImages(b.store)
	made, err := images.Ensure(t.Context(), b.record(t))
	if err != nil {
		t.Fatal(err)
	}
	body := b.read(t, made)
	if !strings.HasPrefix(body, `{"format":"ace-before-images/1","task_id":"`+b.job.TaskID+`","cluster_name":"`) ||
		!strings.HasSuffix(body, rowsBefore) || strings.Count(body, `"outcome":"committed"`) != 1 || !json.Valid([]byte(body)) {
		t.Errorf("the document is %s", body)
	}
	if again, err := images.Ensure(t.Context(), b.record(t)); err != nil || again != made {
		t.Errorf("the next time it is %+v, %v, not %+v", again, err, made)
	}
}

func TestBeforeImages_IncludeAnAttemptWithAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.crashed(t, func(ctx context.Context, real func(context.Context) error) error { return real(ctx) })
	made, err := tablerepair.NewBeforeImages(b.store).Ensure(t.Context(), b.record(t))
	if err != nil {
		t.Fatal(err)
	}
	if body := b.read(t, made); !strings.HasSuffix(body, rowsBefore) || !strings.Contains(body, `"outcome":"unknown"`) {
		t.Errorf("the document is %s", body)
	}
}

func TestBeforeImages_AreNotFoundForARepairThatChangedNothing(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.job.DryRun = true
	if _, err := b.run(t.Context(), t); err != nil {
		t.Fatal(err)
	}
	if _, err := tablerepair.NewBeforeImages(b.store).Ensure(t.Context(), b.record(t)); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestBeforeImages_AreCompleteOrAbsentAfterAStoreFailure(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "1")
	rec, images := b.record(t), tablerepair.NewBeforeImages(b.store)
	key, record := archive.BeforeImagesKey(rec.TaskID, rec.SubmittedAt), archive.BeforeImagesRecordKey(rec.TaskID, rec.SubmittedAt)
	for _, op := range []faulty.Op{faulty.Commit, faulty.PutIfAbsent} {
		for _, outcome := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
			for nth, more := 1, true; more; nth++ {
				before := b.store.Count(op, "")
				b.store.On(op, "", faulty.Nth(nth, outcome))
				_, err := images.Ensure(t.Context(), rec)
				more = b.store.Count(op, "")-before >= nth
				b.store.Heal()
				if more != (fault.CodeOf(err) == fault.Unavailable) {
					t.Errorf("%s, call %d, outcome %d: %v", op, nth, outcome, err)
				}
				made, err := images.Ensure(t.Context(), rec)
				if err != nil {
					t.Fatalf("%s, call %d, outcome %d: the next time %v", op, nth, outcome, err)
				}
				if body := b.read(t, made); !strings.HasSuffix(body, rowsBefore) {
					t.Errorf("%s, call %d, outcome %d: the document is %s", op, nth, outcome, body)
				}
				for _, key := range []string{key, record} {
					if err := b.store.Delete(t.Context(), key); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

func TestBeforeImages_DamagedPartsFail(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "1")
	at := slices.IndexFunc(b.objects(t), func(key string) bool { return strings.Contains(key, "/undo-") })
	key := archive.RepairsPrefix(b.job.TaskID, "n2") + b.objects(t)[at]
	object, err := b.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(object.Body)
	object.Body.Close()
	changed := strings.Replace(string(body), "\x022\x02x", "\x022\x02z", 1) // the small part is not compressed
	if err != nil || changed == string(body) {
		t.Fatalf("nothing to damage in %s, %v", body, err)
	}
	if _, err := b.store.Put(t.Context(), key, object.ContentType, []byte(changed)); err != nil {
		t.Fatal(err)
	}
	if got, err := tablerepair.NewBeforeImages(b.store).Ensure(t.Context(), b.record(t)); fault.CodeOf(err) != fault.Internal {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := b.store.Stat(t.Context(), archive.BeforeImagesKey(b.job.TaskID, b.job.SubmittedAt)); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a document exists: %v", err)
	}
}

func TestReport_IsRecordedAsStoredByALaterRunToo(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	differing(t, c)
	b := newBench(t, c)
	b.job.Report = true
	first, err := b.run(t.Context(), t)
	if err != nil || first.Report == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := b.run(t.Context(), t)
	if err != nil || again.Report == nil || again.Report.Key == first.Report.Key {
		t.Fatalf("a run that continues records %+v, %v, not another one than %+v", again.Report, err, first.Report)
	}
	for _, report := range []*task.Document{first.Report, again.Report} {
		if body := b.read(t, *report); !strings.Contains(body, `"n2":{"outcome":"committed","inserted":1,"updated":1,"deleted":1`) {
			t.Errorf("the report is %s", body)
		}
	}
}
