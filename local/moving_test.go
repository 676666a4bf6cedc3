//go:build !unit

package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/minio"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/archive/s3"
)

const movingRows = 300_000

func TestSurvival_ATableThatChangedBetweenKillAndRestartIsCoveredByTheOldPlan(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	customers(t, c, movingRows)
	d := makeDrift(t, c, movingRows, 30)
	h := newHome(t, c)
	first := h.serve(t, nil)
	id := underWay(t, first, c, "2", 40)
	first.kill()
	before := h.parts(t, id)
	plan := h.object(archive.PlanKey(id))
	before[plan] = stored{version: modified(t, plan)}
	covered := outside(t, before, 150_000)

	// A third of the rows is deleted, and as many are inserted at the end, so a new
	// sample of keys would have other boundaries.
	c.ExecAll(t, `DELETE FROM customers WHERE index BETWEEN 150000 AND 249999`, insertCustomers(movingRows+10_001, movingRows+100_000), `ANALYZE customers`)
	d = d.without(150_000, 249_999)
	c.Exec(t, 1, `UPDATE customers SET city = 'elsewhere' WHERE index IN (250000, 390000)`, insertCustomers(200_000, 200_000), insertCustomers(500_000, 500_000))
	c.Exec(t, 0, insertCustomers(149_999+50_000, 149_999+50_000), insertCustomers(400_001, 400_001))
	d.updated = append(d.updated, "250000", "390000")
	d.onlyFirst = append(d.onlyFirst, "199999", "400001")
	d.onlySecond = append(d.onlySecond, "200000", "500000")
	total := covered.keys + number(t, c, `SELECT count(*) FROM customers WHERE `+covered.rest) + int64(len(d.onlySecond))

	second := h.serve(t, nil)
	if looks := second.checkKept(t, id, before); looks == 0 {
		t.Error("plan and parts of the first run were never seen in the second")
	}
	checkDrift(t, second, id, d, total)
	again := second.submit(t, c, "public.customers")
	second.completed(t, again)
	d.check(t, second.found(t, again, "index"))
}

func modified(t testing.TB, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime().String()
}

// number returns the only number in the result of a query on the first node.
func number(t testing.TB, c *pgtest.Cluster, sql string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(c.QueryStrings(t, 0, sql)[0][0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// coverage describes the keys that parts cover: their number, and an SQL condition for
// all other keys.
type coverage struct {
	keys int64
	rest string
}

// outside returns the coverage of the parts. The test fails if a part reaches up to
// limit.
func outside(t testing.TB, parts map[string]stored, limit int) coverage {
	t.Helper()
	found := coverage{rest: "true"}
	for name, part := range parts {
		r := part.totals.Range
		if r.Hi == nil {
			continue // the plan
		}
		lo := "-1"
		if r.Lo != nil {
			lo = r.Lo[0]
		}
		if hi, err := strconv.Atoi(r.Hi[0]); err != nil || hi >= limit {
			t.Fatalf("part %s reaches up to %v: too far for the test to show anything", name, r.Hi)
		}
		found.keys += part.totals.Keys
		found.rest += fmt.Sprintf(" AND NOT (index >= %s AND index < %s)", lo, r.Hi[0])
	}
	return found
}

// without returns the drift that is left after the rows of a range are deleted on all
// nodes.
func (d drift) without(from, to int) drift {
	left := func(keys []string) (kept []string) {
		for _, key := range keys {
			if n, err := strconv.Atoi(key); err == nil && (n < from || n > to) {
				kept = append(kept, key)
			}
		}
		return kept
	}
	return drift{updated: left(d.updated), onlyFirst: left(d.onlyFirst), onlySecond: left(d.onlySecond)}
}

// deadLease is the duration of the leases in these tests. It is long enough to start a
// process and to check the task before the lease of the killed process expires. It is
// short enough to wait for the expiry.
const deadLease = 12 * time.Second

// takeover is a task on a bucket whose process was killed, and the process that was
// started in its place.
type takeover struct {
	home   home
	env    settings
	store  *s3.Store
	second *service
	taskID string
	before map[string]stored // parts that the first process had stored
	read   reads             // rows that the first node had read by then
}

func TestSurvival_OnABucketTheTaskContinuesWhenTheDeadProcessesLeaseHasExpired(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	customers(t, c, movingRows)
	d := makeDrift(t, c, movingRows, 30)
	over := respectedLease(t, c, minio.Start(t))

	checkDrift(t, over.second, over.taskID, d, movingRows+2)
	over.second.kill()
	checkRowsRead(t, rowsRead(t, c, 0).since(over.read), movingRows, over.before)
	checkBucket(t, over.store, c.Password, over.env["AWS_SECRET_ACCESS_KEY"])
	if exists(t, over.home.data()) {
		t.Error("a data directory was made although the archive is a bucket")
	}
}

// respectedLease kills a process, starts another and checks that it does not run the task
// while the lease of the first is valid. On a busy machine the lease may expire before
// the check. Then it repeats everything with another bucket.
func respectedLease(t *testing.T, c *pgtest.Cluster, server *minio.Server) takeover {
	t.Helper()
	const attempts = 5
	for attempt := range attempts {
		over, first, renewed := killed(t, c, server.Options(fmt.Sprintf("archive-%d", attempt)))
		over.second = over.home.serve(t, over.env)
		status := over.second.status(t, over.taskID).Status
		parts := bucketParts(t, over.store, over.taskID)
		record := content(t, over.store, archive.TaskKey(over.taskID))
		if age := time.Since(renewed); age > deadLease-2*time.Second {
			t.Logf("attempt %d: the lease was %s old when the test read the task", attempt+1, age)
			over.second.kill()
			continue
		}
		if status != api.StatusRunning {
			t.Errorf("while the lease holds the task is %s", status)
		}
		checkSame(t, over.before, parts)
		checkLease(t, record, first)
		return over
	}
	t.Fatalf("in %d attempts no process started within the %s of a lease", attempts, deadLease)
	return takeover{}
}

// killed starts a comparison on its own bucket and kills the process in the middle.
// renewed is the time at which the task's lease was last renewed.
func killed(t *testing.T, c *pgtest.Cluster, options s3.Options) (over takeover, first *service, renewed time.Time) {
	t.Helper()
	if err := s3.EnsureBucket(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	over.home, over.env = newHome(t, c), onBucket(options, options.Endpoint)
	over.env["ACE_LEASE"] = deadLease.String()
	options.Prefix = "ace"
	store, err := s3.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	over.store = store

	first = over.home.serve(t, over.env)
	over.taskID = first.submit(t, c, "public.customers", "block_rows", "1000", "batch_size", "2")
	eventually(t, taskTimeout, "some parts are stored", func() bool {
		return len(keys(t, store, archive.PartsPrefix(over.taskID, "compare"))) >= 40
	})
	first.kill()
	record, err := store.Stat(t.Context(), archive.TaskKey(over.taskID))
	if err != nil {
		t.Fatal(err)
	}
	over.before = bucketParts(t, store, over.taskID)
	over.read = rowsRead(t, c, 0)
	return over, first, record.LastModified
}

// checkLease checks that the task still has the lease of owner, which is dead.
func checkLease(t testing.TB, body []byte, owner *service) {
	t.Helper()
	var record struct {
		Lease *struct {
			Owner string `json:"owner"`
		} `json:"lease"`
		Attempts int `json:"attempts"`
	}
	err := json.Unmarshal(body, &record)
	want := "process " + strconv.Itoa(owner.cmd.Process.Pid)
	if err != nil || record.Lease == nil || !strings.HasSuffix(record.Lease.Owner, want) || record.Attempts != 1 {
		t.Errorf("the task's record is %+v, %v; the lease must be that of %s", record, err, want)
	}
}

// checkBucket makes sure that no object shows a secret.
func checkBucket(t testing.TB, store archive.Store, secrets ...string) {
	t.Helper()
	for _, key := range keys(t, store, "") {
		text := string(content(t, store, key))
		for _, secret := range secrets {
			checkSecret(t, key, text, secret)
		}
	}
}
