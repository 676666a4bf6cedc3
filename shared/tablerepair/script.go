package tablerepair

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
	"ace/shared/visible"
)

// maxScriptChange is the maximum size of one change in a script. A server accepts no
// statement of more than 1 GB.
const maxScriptChange = 200 << 20

// writeScripts writes a script for psql for each target with changes. The script makes
// the changes that the dry run has decided. It adds a warning to the result for each
// target whose changes no script can make safely.
func (r *run) writeScripts(ctx context.Context, result *Result) error {
	r.progress.phase(phaseReport)
	result.Scripts = map[string]task.Document{}
	for i, n := range result.Nodes {
		t := &r.plan.Targets[i]
		if n.Error != nil || n.Totals.changes() == 0 {
			continue
		}
		if len(t.Deferrable) > 0 && !r.plan.FireTriggers {
			result.Warnings = append(result.Warnings, fmt.Sprintf("node %s: no script was written, because only a repair can check the deferrable constraint %q", n.Node, t.Deferrable[0].Name))
			continue
		}

		script, err := r.writeScript(ctx, t, n.Totals)
		if fault.CodeOf(err) == fault.TooLarge {
			result.Warnings = append(result.Warnings, fault.PublicMessage(err))
			continue
		}
		if err != nil {
			return err
		}
		result.Scripts[n.Node] = *script
	}
	return nil
}

// writeScript writes the script for one target. If an earlier run of the task has already
// written it, writeScript returns that script: all runs have the same decisions.
func (r *run) writeScript(ctx context.Context, t *Target, totals Totals) (*task.Document, error) {
	key := archive.ScriptKey(r.plan.TaskID, r.req.SubmittedAt, t.Node)
	document, err := writeObject(ctx, r.store, key, "application/sql", func(out *bufio.Writer) error {
		s := script{plan: r.plan, target: t, totals: totals, out: out, each: func(pick picker, fn func(change) error) error {
			return eachChange(ctx, r.store, totals.Parts, whole(pick), func(c numberedChange) error { return fn(c.change) })
		}}
		return s.write()
	})
	if errors.Is(err, archive.ErrPrecondition) {
		return describeObject(ctx, r.store, key)
	}
	return document, err
}

const (
	// blockStatements and blockBytes bound a DO block. psql sends each block as one
	// statement, and the server parses it before it runs.
	blockStatements = 200
	blockBytes      = 256 << 10
)

// script writes the changes of one target as a script for psql. The script makes all
// changes in one transaction:
//
//  1. It locks the table and checks that it runs on the server, the database and the
//     table for which the changes were decided, and that no repair of the table is
//     running.
//  2. It locks each row and checks that the row is still as it was in the dry run. The
//     rows to insert must be missing.
//  3. It deletes, updates and inserts the rows, in the same order as a repair (apply).
//     Each statement must write exactly one row.
//  4. It reads each row back and checks that it is as decided, unless triggers may change
//     it (verify).
//
// The first check that fails ends the script, and the transaction is rolled back.
type script struct {
	plan   *Plan
	target *Target
	totals Totals
	each   func(pick picker, fn func(change) error) error // reads the changes that pick accepts
	out    *bufio.Writer

	block      strings.Builder // the statements of the next DO block
	statements int             // number of statements in block
	checked    int64           // number of changes with a statement from addCheck
}

func (s *script) write() error {
	s.print(s.head())
	if err := s.each(all, s.addCheck); err != nil {
		return err
	}
	s.flush()
	if s.checked != s.totals.changes() {
		return fault.New(fault.Internal, "node %q: the dry run counts %d changes, but stored %d", s.target.Node, s.totals.changes(), s.checked)
	}

	// Triggers, defaults and constraints need the search_path of the role.
	s.add(s.searchPath(s.target.Write.Path))
	s.flush()
	for _, step := range []struct {
		pick picker
		add  func(change) error
	}{
		{except(opInsert), s.addDelete}, {only(opUpdate), s.addUpdate}, {except(opDelete), s.addInsert},
	} {
		if err := s.each(step.pick, step.add); err != nil {
			return err
		}
	}
	s.flush()

	s.print("SET CONSTRAINTS ALL IMMEDIATE;\n")

	if !s.target.Fires {
		s.add(s.searchPath(s.target.Write.SearchPath))
		s.flush()
		if err := s.each(all, s.addVerification); err != nil {
			return err
		}
		s.flush()
	}
	s.print(commit)
	s.printf("\\echo '%s: %s committed'\n", s.target.Node, s.counts())
	return nil
}

// addCheck adds the statement that locks the row and checks that it is as it was in the
// dry run.
func (s *script) addCheck(c change) error {
	s.checked++
	if c.size() > maxScriptChange {
		return fault.New(fault.TooLarge, "node %s: no script was written, because the row with the key %s is too large for one", s.target.Node, c.Key)
	}
	if c.Op == opInsert {
		s.addMissing(c, s.message("the row with the key %s exists already", c))
		return nil
	}

	var tests []string
	for i, text := range c.Before {
		tests = append(tests, s.columnHas(i, text))
	}
	s.addSame(c, tests, " FOR UPDATE", s.message("the row with the key %s is no longer as it was in the dry run", c))
	return nil
}

// addVerification adds the statement that checks that the row is as decided.
func (s *script) addVerification(c change) error {
	failed := s.message("the row with the key %s differs from the decision after it was written", c)
	row := c.row()
	if row == nil {
		s.addMissing(c, failed)
		return nil
	}
	var tests []string
	for _, at := range s.target.written(len(row)) {
		tests = append(tests, s.columnHas(at, row[at]))
	}
	s.addSame(c, tests, "", failed)
	return nil
}

// addMissing adds the check that there is no row with the key of c.
func (s *script) addMissing(c change, failed string) {
	s.add(fmt.Sprintf("PERFORM 1 FROM %s WHERE %s; IF FOUND THEN RAISE EXCEPTION USING MESSAGE = %s; END IF;", s.target.Write.Relation, s.hasKey(c), failed))
}

// addSame adds the check that exactly one row has the key of c, and that it passes the
// tests. lock is empty or the clause that locks the row.
func (s *script) addSame(c change, tests []string, lock, failed string) {
	s.add(fmt.Sprintf("SELECT pg_catalog.count(*), pg_catalog.bool_and(ace_row.same) INTO n, same FROM (SELECT %s AS same FROM %s WHERE %s%s) ace_row; "+
		"IF n OPERATOR(pg_catalog.<>) 1 OR same IS NOT TRUE THEN RAISE EXCEPTION USING MESSAGE = %s; END IF;",
		strings.Join(append(tests, "true"), " AND "), s.target.Write.Relation, s.hasKey(c), lock, failed))
}

// addDelete adds the deletion of a row, also if the row is to be inserted again.
func (s *script) addDelete(c change) error {
	if c.Op == opDelete || s.isReplaced(c) {
		s.addWrite(fmt.Sprintf("DELETE FROM %s WHERE %s", s.target.Write.Relation, s.hasKey(c)), c)
	}
	return nil
}

func (s *script) addUpdate(c change) error {
	if s.isReplaced(c) {
		return nil
	}
	t := s.target.Write
	set := make([]string, len(c.Columns))
	for i, at := range c.Columns {
		set[i] = t.Names[at] + " = " + s.value(c.After[i], t.Types[at])
	}
	s.addWrite(fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.Relation, strings.Join(set, ", "), s.hasKey(c)), c)
	return nil
}

func (s *script) addInsert(c change) error {
	if c.Op != opInsert && !s.isReplaced(c) {
		return nil
	}
	t, row := s.target.Write, c.row()
	var names, values []string
	for _, at := range s.target.written(len(row)) {
		names = append(names, t.Names[at])
		values = append(values, s.value(row[at], t.Types[at]))
	}
	s.addWrite(fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES (%s)", t.Into, strings.Join(names, ", "), strings.Join(values, ", ")), c)
	return nil
}

// addWrite adds a statement that must write exactly one row, the row of c. A trigger may
// prevent that.
func (s *script) addWrite(statement string, c change) {
	s.add(statement + "; GET DIAGNOSTICS n = ROW_COUNT; IF n OPERATOR(pg_catalog.<>) 1 THEN RAISE EXCEPTION USING MESSAGE = " + s.message("the row with the key %s was not written, or another row was", c) + "; END IF;")
}

// isReplaced reports whether an update is made by a deletion and an insertion. A repair
// replaces a row only if the node refuses its update. A script cannot know that in
// advance, so it replaces every row whose update sets a value that must be unique, or an
// identity column. It replaces none if triggers fire.
func (s *script) isReplaced(c change) bool {
	return c.Op == opUpdate && !s.plan.FireTriggers && slices.ContainsFunc(c.Columns, func(at int) bool {
		return s.target.Columns[at].Unique || s.target.Columns[at].Identity
	})
}

// hasKey returns the condition that a row has the key of c. The literals are read by the
// input functions of their types, never by a cast.
func (s *script) hasKey(c change) string {
	t := s.target.Write
	tests := make([]string, len(c.Key))
	for i, text := range c.Key {
		tests[i] = t.Key[i] + " " + t.KeyEqual[i] + " " + s.value(&text, t.KeyType[i])
	}
	return strings.Join(tests, " AND ")
}

// message returns a literal with the message of an error about the row of c.
func (s *script) message(format string, c change) string {
	return literal(visible.Line(fmt.Sprintf("node %s: "+format+"; nothing was changed", s.target.Node, c.Key)))
}

// add adds a statement of PL/pgSQL to the next DO block.
func (s *script) add(statement string) {
	if s.statements == blockStatements || s.statements > 0 && s.block.Len()+len(statement) > blockBytes {
		s.flush()
	}
	s.block.WriteString(statement)
	s.block.WriteByte('\n')
	s.statements++
}

// flush writes the DO block.
func (s *script) flush() {
	if s.statements == 0 {
		return
	}
	s.print(block(s.block.String()))
	s.block.Reset()
	s.statements = 0
}

// print writes text. The buffered writer remembers its first error, and writeObject
// returns it.
func (s *script) print(text string) { _, _ = io.WriteString(s.out, text) }

func (s *script) printf(format string, args ...any) { s.print(fmt.Sprintf(format, args...)) }

// block returns a DO statement with the given statements of PL/pgSQL. In it, a name that
// is a variable and a column means the column.
func block(statements string) string {
	tag := dollarTag(statements)
	return "DO " + tag + "\n#variable_conflict use_column\nDECLARE n pg_catalog.int8; same pg_catalog.bool;\nBEGIN\n" + statements + "END\n" + tag + ";\n"
}

// set returns a statement of PL/pgSQL that sets a configuration parameter until the
// transaction ends.
func set(name, value string) string {
	return "PERFORM pg_catalog.set_config(" + literal(name) + ", " + literal(value) + ", true);"
}

// searchPath returns a statement of PL/pgSQL that sets the search_path, which may have
// names of schemas, until the transaction ends.
func (s *script) searchPath(path string) string {
	return "PERFORM pg_catalog.set_config('search_path', " + s.literal(path) + ", true);"
}

// columnHas returns the condition that the column with this index has the given text.
func (s *script) columnHas(at int, text *string) string {
	return s.hasText(s.target.Write.Alias+"."+s.target.Write.Names[at], text)
}

// dollarTag returns a tag for a dollar-quoted text that does not contain the tag.
func dollarTag(text string) string {
	tag := "$ace$"
	for n := 1; strings.Contains(text, tag); n++ {
		tag = fmt.Sprintf("$ace%d$", n)
	}
	return tag
}
