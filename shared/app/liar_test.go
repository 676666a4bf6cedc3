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
// Each function returns a new value, because one may count.
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

// A compromised node cannot crash the service, or change what an honest source of truth
// writes to an honest node.
func TestCompromisedNode_CannotCrashAndChangesNoOtherNode(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 700) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id IN (5, 600)`)
	c.Exec(t, 2, `UPDATE t SET v = 'y' WHERE id IN (7, 600)`)
	server := liar.New(t, c.Nodes[2])
	s := apptest.New(t, pointed(c, 2, "127.0.0.1", server.Port()), apptest.Options{
		Patience: 200 * time.Millisecond, Timeout: time.Second, AnswerMargin: time.Second, RepairAnswerTimeout: time.Second,
	})
	document := s.Diff(t, "public.t").TaskID
	honest := [][][]string{content(t, c, 0, "t"), content(t, c, 1, "t")}
	goroutines := runtime.NumGoroutine()

	all := falseAnswers()
	for i, name := range slices.Sorted(maps.Keys(all)) {
		for _, at := range []struct {
			row       int64
			operation string
			submit    func() string
		}{
			{0, "diff", func() string { return s.Submit(t, "public.t") }},
			{12, "source", func() string { return submitRepair(t, s, document, "n3", dryRun) }},
			{30, "diff", func() string { return s.Submit(t, "public.t") }},
		}[i%3 : i%3+1] {
			t.Run(fmt.Sprintf("%s, a %s from row %d", name, at.operation, at.row), func(t *testing.T) {
				server.Cut()
				server.Lie(from(at.row, all[name]()))
				defer server.Lie(nil)
				began := time.Now()
				end := s.Wait(t, at.submit())
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %s", took)
				}
				checkLiedTo(t, at.operation, end)
			})
		}
	}

	server.Cut()
	server.Lie(from(12, all["one column"]()))
	repaired := repair(t, s, document, "n1", nil)
	server.Lie(nil)
	server.Cut()
	want := honest[1]
	if repaired.Nodes["n2"].Outcome == "committed" {
		want = honest[0]
	}
	if diff := cmp.Diff([][][]string{honest[0], want}, [][][]string{content(t, c, 0, "t"), content(t, c, 1, "t")}); diff != "" {
		t.Errorf("the rows of an honest node are wrong:\n%s", diff)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+10; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

// checkLiedTo checks how a task ended to which a node sent a false answer. A task
// may be COMPLETED if the answer has a possible meaning.
func checkLiedTo(t *testing.T, operation string, end api.TaskStatus) {
	t.Helper()
	if end.Status != api.StatusFailed {
		return
	}
	if strings.Contains(end.Error, "panic") || strings.Contains(end.Error, "internal") || !strings.Contains(end.Error, "n3") {
		t.Errorf("%s: %q", operation, end.Error)
	}
	if len(end.Error) > 20<<10 {
		t.Errorf("%s: the error has %d bytes", operation, len(end.Error))
	}
}
