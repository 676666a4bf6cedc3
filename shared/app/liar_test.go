//go:build !unit

package app_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/liar"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// falseAnswers returns, by name, what a compromised node answers instead of a message.
// Each function returns a new value, because a lie may count messages.
func falseAnswers() map[string]func() liar.Lie {
	rows := func(change func(m liar.Message) []liar.Message) func() liar.Lie {
		return func() liar.Lie {
			return func(out io.Writer, m liar.Message) error {
				if m.Type != 'D' {
					return liar.Truth(out, m)
				}
				for _, lie := range change(m) {
					if err := liar.Truth(out, lie); err != nil {
						return err
					}
				}
				return nil
			}
		}
	}
	all := func(value string) func() liar.Lie {
		return rows(func(m liar.Message) []liar.Message {
			values := make([]string, m.Columns())
			for i := range values {
				values[i] = value
			}
			return []liar.Message{liar.Row(values...)}
		})
	}
	before := func(kind byte, n int, lie liar.Message) func() liar.Lie {
		return func() liar.Lie {
			return func(out io.Writer, m liar.Message) error {
				for range n {
					if m.Type == kind {
						if err := liar.Truth(out, lie); err != nil {
							return err
						}
					}
				}
				return liar.Truth(out, m)
			}
		}
	}
	return map[string]func() liar.Lie{
		"no columns":     rows(func(liar.Message) []liar.Message { return []liar.Message{liar.Row()} }),
		"one column":     rows(func(liar.Message) []liar.Message { return []liar.Message{liar.Row("1")} }),
		"many columns":   rows(func(liar.Message) []liar.Message { return []liar.Message{liar.Row(make([]string, 2000)...)} }),
		"no row":         rows(func(liar.Message) []liar.Message { return nil }),
		"each row twice": rows(func(m liar.Message) []liar.Message { return []liar.Message{m, m} }),
		"a cut row":      rows(func(m liar.Message) []liar.Message { return []liar.Message{{Type: 'D', Body: m.Body[:len(m.Body)/2]}} }),
		"text":           all("\x1b[2Jx\xff\x00"),
		"empty":          all(""),
		"a negative":     all("-1"),
		"a huge number":  all("99999999999999999999999999999999999999"),
		"a large number": all("9223372036854775807"),
		"one":            all("1"),
		"a megabyte":     all(strings.Repeat("7", 1<<20)),
		"an error": rows(func(liar.Message) []liar.Message {
			return []liar.Message{liar.Error("XX000", "\x1b]0;x\x07\r\nFORGED"+strings.Repeat("e", 10<<20))}
		}),
		"notices":         before('D', 10, liar.Notice(strings.Repeat("n", 10_000))),
		"parameters":      before('D', 100, liar.Message{Type: 'S', Body: []byte("client_encoding\x00" + strings.Repeat("p", 1000) + "\x00")}),
		"an unknown type": before('D', 1, liar.Message{Type: '~', Body: []byte("x")}),
		"a late password": before('D', 1, liar.Message{Type: 'R', Body: []byte{0, 0, 0, 3}}),
		"a claim of 2 GB": func() liar.Lie {
			return func(out io.Writer, m liar.Message) error {
				if m.Type != 'D' {
					return liar.Truth(out, m)
				}
				_, err := out.Write(binary.BigEndian.AppendUint32([]byte{'D'}, 1<<31-1))
				return errors.Join(err, io.EOF)
			}
		},
		"rows without end":       endless(func(m liar.Message) liar.Message { return m }),
		"notices without end":    endless(func(liar.Message) liar.Message { return liar.Notice(strings.Repeat("n", 10_000)) }),
		"parameters without end": endless(func(liar.Message) liar.Message { return liar.Message{Type: 'S', Body: []byte("a\x00b\x00")} }),
		"a byte now and then": func() liar.Lie {
			return func(out io.Writer, m liar.Message) error {
				if m.Type != 'D' {
					return liar.Truth(out, m)
				}
				for _, b := range (liar.Message{Type: 'D', Body: make([]byte, 1<<20)}).Append(nil) {
					if _, err := out.Write([]byte{b}); err != nil {
						return err
					}
					time.Sleep(200 * time.Millisecond) // a client waits at most for one second
				}
				return nil
			}
		},
		"a negative length": func() liar.Lie {
			return func(out io.Writer, m liar.Message) error {
				if m.Type != 'D' {
					return liar.Truth(out, m)
				}
				_, err := out.Write(binary.BigEndian.AppendUint32([]byte{'D'}, 0xfffffff0))
				return errors.Join(err, io.EOF)
			}
		},
	}
}

// endless returns a lie that repeats a message instead of each row, until the client
// closes the connection.
func endless(repeated func(m liar.Message) liar.Message) func() liar.Lie {
	return func() liar.Lie {
		return func(out io.Writer, m liar.Message) error {
			if m.Type != 'D' {
				return liar.Truth(out, m)
			}
			for {
				if err := liar.Truth(out, repeated(m)); err != nil {
					return err
				}
			}
		}
	}
}

// from returns a lie that begins with the n-th row that the server answers.
func from(n int64, lie liar.Lie) liar.Lie {
	var rows atomic.Int64
	return func(out io.Writer, m liar.Message) error {
		at := rows.Load()
		if m.Type == 'D' {
			at = rows.Add(1) - 1
		}
		if at < n {
			return liar.Truth(out, m)
		}
		return lie(out, m)
	}
}

// expectation is how a task must end to which a node sent a false answer.
type expectation int

const (
	// unproven: the answer may have a possible meaning. The task is FAILED and names the
	// node, or its document has the differences of the honest nodes, and is no match.
	unproven expectation = iota
	refused              // FAILED, naming the node
	harmless             // as without the lie
)

// expected returns the expectation for a false answer by its name.
func expected(name string) expectation {
	switch name {
	case "a claim of 2 GB", "a negative length", "a cut row", "no columns", "text", "a huge number", "a large number", "an error",
		"rows without end", "notices without end", "parameters without end", "a byte now and then":
		return refused
	case "notices":
		return harmless
	}
	return unproven
}

// lied is a service with a compromised node, n3, whose table differs from the others.
type lied struct {
	c        *pgtest.Cluster
	s        *apptest.Service
	server   *liar.Server
	honest   apptest.Diff
	repairOf func(t *testing.T, source string, change func(*api.TableRepairRequest)) string
}

const spoiled = `TRUNCATE t; INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 700) i WHERE i <> 8;
UPDATE t SET v = 'y' WHERE id IN (7, 600); INSERT INTO t VALUES (9000, 'e')`

func newLied(t *testing.T) *lied {
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 700) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id IN (5, 600)`)
	c.Exec(t, 2, spoiled)
	l := &lied{c: c, server: liar.New(t, c.Nodes[2])}
	l.s = apptest.New(t, pointed(c, 2, "127.0.0.1", l.server.Port()), apptest.Options{
		Patience: 200 * time.Millisecond, Timeout: time.Second, AnswerMargin: time.Second, RepairAnswerTimeout: time.Second, RepairLockWait: time.Second,
	})
	l.honest = l.s.Diff(t, "public.t")
	l.repairOf = func(t *testing.T, source string, change func(*api.TableRepairRequest)) string {
		return submitRepair(t, l.s, l.honest.TaskID, source, change)
	}
	return l
}

// operations returns, by name, functions that submit a task. The undo needs a repair,
// which is made before the first false answer.
func (l *lied) operations(t *testing.T) map[string]func() string {
	return map[string]func() string{
		"diff":   func() string { return l.s.Submit(t, "public.t") },
		"rerun":  func() string { return l.s.SubmitRerun(t, l.honest.TaskID, "public.t") },
		"source": func() string { return l.repairOf(t, "n3", dryRun) },
		"target": func() string {
			return l.repairOf(t, "n1", func(r *api.TableRepairRequest) { r.Nodes = []string{"n3"}; r.AllowLag = true })
		},
	}
}

// A compromised node cannot crash the service, make a comparison a match or change what
// it finds on the other nodes, or change a row of these.
func TestCompromisedNode_CannotCrashAndChangesNoOtherNode(t *testing.T) {
	l := newLied(t)
	honest := [][][]string{content(t, l.c, 0, "t"), content(t, l.c, 1, "t")}
	goroutines := runtime.NumGoroutine()

	all, names := falseAnswers(), []string{"diff", "rerun", "source", "target", "undo"}
	for i, name := range slices.Sorted(maps.Keys(all)) {
		for turn, operation := range []string{names[i%5], names[(i+2)%5]} {
			row := []int64{0, 12, 20, 30, 45}[(i+turn)%5]
			t.Run(fmt.Sprintf("%s, %s, from row %d", name, operation, row), func(t *testing.T) {
				submit := l.operations(t)[operation]
				if operation == "undo" {
					id := repair(t, l.s, l.honest.TaskID, "n1", func(r *api.TableRepairRequest) { r.Nodes = []string{"n3"}; r.AllowLag = true }).TaskID
					submit = func() string {
						var submitted api.Submitted
						l.s.Get(t, "/ace/table-undo", parameters(t, api.TableUndoRequest{TaskID: id, AllowLag: true}), &submitted)
						return submitted.TaskID
					}
				}
				allowed := map[string]bool{}
				for _, row := range slices.Concat(honest[0], content(t, l.c, 2, "t"), [][]string{{"(7,y)"}, {"(600,y)"}, {"(9000,e)"}}) {
					allowed[row[0]] = true
				}

				l.server.Cut()
				lie := all[name]()
				l.server.Lie(from(row, lie))
				end := l.s.Wait(t, submit())
				l.server.Lie(nil)
				l.server.Cut()

				l.checkLiedTo(t, operation, expected(name), end)
				for _, row := range content(t, l.c, 2, "t") {
					if !allowed[row[0]] {
						t.Errorf("the row %s was written to the compromised node", row[0])
					}
				}
				if diff := cmp.Diff(honest, [][][]string{content(t, l.c, 0, "t"), content(t, l.c, 1, "t")}); diff != "" {
					t.Fatalf("the rows of an honest node were changed:\n%s", diff)
				}
				l.c.Exec(t, 2, spoiled)
			})
		}
	}

	l.server.Lie(from(12, all["one column"]()))
	repaired := repair(t, l.s, l.honest.TaskID, "n1", nil)
	l.server.Lie(nil)
	l.server.Cut()
	want := honest[1]
	if repaired.Nodes["n2"].Outcome == "committed" {
		want = honest[0]
	}
	if diff := cmp.Diff([][][]string{honest[0], want}, [][][]string{content(t, l.c, 0, "t"), content(t, l.c, 1, "t")}); diff != "" {
		t.Errorf("the rows of an honest node are wrong:\n%s", diff)
	}
	for end := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > goroutines+10; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

// checkLiedTo checks how a task ended to which n3 sent a false answer.
func (l *lied) checkLiedTo(t *testing.T, operation string, want expectation, end api.TaskStatus) {
	t.Helper()
	if end.Status == api.StatusFailed {
		if want == harmless || strings.Contains(end.Error, "panic") || strings.Contains(end.Error, "internal") || !strings.Contains(end.Error, "n3") {
			t.Errorf("%s: %q", operation, end.Error)
		}
		if len(end.Error) > 20<<10 {
			t.Errorf("%s: the error has %d bytes", operation, len(end.Error))
		}
		return
	}
	if want == refused {
		t.Errorf("%s: ended %s %s, want FAILED", operation, end.Status, end.Result)
	}
	if operation != "diff" && operation != "rerun" {
		return
	}
	d := l.s.Document(t, end)
	if d.Result.Verdict == api.VerdictMatch {
		t.Errorf("%s: the verdict is match, but the node differs", operation)
	}
	ofHonest := func(d apptest.Diff) (rows []apptest.Row) {
		for _, row := range d.Rows {
			if row.Pair == "n1/n2" || want == harmless {
				rows = append(rows, row)
			}
		}
		return rows
	}
	if diff := cmp.Diff(ofHonest(l.honest), ofHonest(d)); diff != "" {
		t.Errorf("%s: the differences of honest nodes are wrong:\n%s", operation, diff)
	}
}
