package tablerepair

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/table"
)

// openRows opens a stream of the rows of some keys.
type openRows func(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)

// decider decides what to do with the rows of one target. It reads the source's rows by
// key and without the comparison's table_filter: a row that the filter hides would count
// as absent, and the target's row would be deleted.
type decider struct {
	plan   *Plan
	target *Target
	source Reader
	node   Reader
	// locked rows, which no other transaction can change; nil if rows need no lock
	locked *lockedRows
	part   *lockedPart // locked rows of the current part of keys; nil if they are not in memory
	at     int64       // number of the next key
	emit   func(change) error
	totals *Totals
	key    []int // indexes of the key's columns
	absent absences
	// winners is set in a repair by rule; it is the source then
	winners *winners
	first   int64 // number of the first key of the current part
	// rows that were already decided, if two keys can identify one row; otherwise nil
	seen map[string]bool
}

func newDecider(p *Plan, t *Target) *decider {
	d := &decider{plan: p, target: t, key: keyPlaces(p, t)}
	if t.ByText {
		d.seen = map[string]bool{}
	}
	return d
}

func keyPlaces(p *Plan, t *Target) []int {
	at := make([]int, len(p.Key))
	for i, name := range p.Key {
		at[i] = slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	}
	return at
}

// decide decides about the rows of keys, the n-th part of keys. While one window of
// source rows is compared with the target's rows, the next window is read.
func (d *decider) decide(ctx context.Context, n int, keys []table.Key) (err error) {
	if d.part, err = d.locked.open(n); err != nil {
		return err
	}
	d.first = d.at
	source := d.target.Read
	source.Digest = cmp.Or(d.target.ReadDigest, source.Digest)
	stream, err := d.source.Rows(ctx, source, keys)
	if err != nil {
		return err
	}

	type batch struct {
		keys   []table.Key
		wanted []table.KeyedRow
	}

	err = fanout.Ahead(ctx, func(_ context.Context, give func(batch) error) error {
		wanted := &lookahead{stream: stream}
		for left := keys; len(left) > 0; {
			rows, err := wanted.window(len(left))
			if err != nil {
				return err
			}
			if err := give(batch{left[:len(rows)], rows}); err != nil {
				return err
			}
			left = left[len(rows):]
		}
		return nil
	}, func(b batch) error { return d.compare(ctx, b.keys, b.wanted) })
	return cmp.Or(err, stream.Close())
}

// compare compares the source's rows with the target's rows. wanted has the source's row
// for each of keys; its Row is nil if the source has no such row.
func (d *decider) compare(ctx context.Context, keys []table.Key, read []table.KeyedRow) error {
	wanted := make([]table.Row, len(read))
	for i := range read {
		wanted[i] = read[i].Row
	}
	lost, err := convert(ctx, d.node, d.target, keys, wanted)
	if err != nil {
		return err
	}
	stream, err := d.targetRows(ctx, keys)
	if err != nil {
		return err
	}

	return eachRow(stream, len(keys), func(i int, have table.Row) error {
		if err := d.checkLocked(keys[i], have); err != nil {
			return err
		}
		if d.winners != nil && d.skipChanged(wanted[i], have) {
			return nil
		}
		d.noteAbsent(keys[i], wanted[i], have)
		if err := d.row(wanted[i], have, read[i].Digest, lost[i]); err != nil {
			return err
		}
		wanted[i], read[i].Row = nil, nil
		return nil
	})
}

// targetRows opens a stream of the target's rows with these keys. If the locked rows are
// in memory, it only checks that no row has appeared for the other keys.
func (d *decider) targetRows(ctx context.Context, keys []table.Key) (table.RowStream, error) {
	if d.part == nil {
		return d.node.Rows(ctx, d.target.Write.Source, keys)
	}

	var absent []table.Key
	for i, key := range keys {
		if !d.locked.places.Has(d.at + int64(i)) {
			absent = append(absent, key)
		}
	}
	if len(absent) > 0 {
		keysOnly := d.target.Write.Source
		keysOnly.Columns = keysOnly.Key
		stream, err := d.node.Rows(ctx, keysOnly, absent)
		if err != nil {
			return nil, err
		}
		err = eachFound(stream, func(at int, _ table.KeyedRow) error { return rowAppearedError(d.target.Node, absent[at]) })
		if err != nil {
			return nil, err
		}
	}
	return d.part.window(len(keys)), nil
}

// checkLocked fails if the target now has a row, have, for a key that had none when the
// rows were locked. The source's row may have been read before that row appeared on the
// target, so it may be outdated.
func (d *decider) checkLocked(key table.Key, have table.Row) error {
	at := d.at
	d.at++
	if have == nil || d.locked == nil || d.locked.places.Has(at) {
		return nil
	}
	return rowAppearedError(d.target.Node, key)
}

// rowAppearedError returns the error for a row that another transaction wrote on the
// target during the repair. The next attempt finds and locks the row.
func rowAppearedError(node string, key table.Key) error {
	return fault.New(fault.Unavailable, "node %q: the row with the key %s appeared during the repair", node, key)
}

// convert converts rows of the source to what the target would store. In each column that
// has another type on the target, it replaces the value by the text that the target would
// store. rows has one element for each of keys; the element is nil if the key has no row.
// convert returns the source's values that it replaced by a text which a comparison will
// report as different.
func convert(ctx context.Context, node Reader, t *Target, keys []table.Key, rows []table.Row) (lostValues, error) {
	lost := lostValues{}
	var unchecked, checked []int
	for i, c := range t.Columns[:t.Common] {
		switch {
		case c.Convert == "":
		case c.Checked:
			checked = append(checked, i)
		default:
			unchecked = append(unchecked, i)
		}
	}

	c := converter{node: node, target: t, keys: keys, rows: rows, lost: lost}
	if err := c.columns(ctx, unchecked); err != nil || len(checked) == 0 {
		return lost, err
	}
	if err := node.SetSearchPath(ctx, t.Write.Path); err != nil {
		return nil, err
	}
	if err := c.columns(ctx, checked); err != nil {
		return nil, err
	}
	return lost, node.SetSearchPath(ctx, t.Write.SearchPath)
}

// converter is the state of one call of convert.
type converter struct {
	node   Reader
	target *Target
	keys   []table.Key
	rows   []table.Row
	lost   lostValues
}

// columns does what convert does for the columns with the indexes in at.
func (v converter) columns(ctx context.Context, at []int) error {
	node, t, keys, rows := v.node, v.target, v.keys, v.rows
	if len(at) == 0 {
		return nil
	}
	to := make([]table.Conversion, len(at))
	for n, i := range at {
		c := t.Columns[i]
		to[n] = table.Conversion{Name: table.Quote(c.Name), Type: c.Convert, Parse: c.Parse}
	}

	var values []table.Row
	var of []int
	for i, row := range rows {
		if row != nil {
			values, of = append(values, pick(row, at)), append(of, i)
		}
	}
	if len(values) == 0 {
		return nil
	}

	converted, err := node.Convert(ctx, to, values)
	var refused *table.ViolationError
	switch {
	case errors.As(err, &refused) && refused.Column != "":
		return t.withEncodings(refused.Of(keys[of[refused.Place]]))
	case err != nil:
		return err
	}
	if err := checkFit(ctx, node, t, at, fitting{keysAt(keys, of), values, converted}); err != nil {
		return err
	}

	for r, i := range of {
		for n, c := range at {
			if !t.Columns[c].Padded && !table.SameValue(rows[i][c], converted[r][n]) {
				v.lost.add(i, c, rows[i][c])
			}
			rows[i][c] = converted[r][n]
		}
	}
	return nil
}

// fitting holds values of some columns of some rows, as the source has them and as the
// target would store them.
type fitting struct {
	keys              []table.Key
	values, converted []table.Row
}

// checkFit fails if the target's type modifier would change a value, for instance by
// rounding it. It detects this by converting the value back to the source's type. at
// holds the indexes of the converted columns.
func checkFit(ctx context.Context, node Reader, t *Target, at []int, f fitting) error {
	var places []int
	var to []table.Conversion
	for n, c := range at {
		if column := t.Columns[c]; column.Back != "" {
			places, to = append(places, n), append(to, table.Conversion{Name: table.Quote(column.Name), Type: column.Back, Parse: column.Parse})
		}
	}
	if len(places) == 0 {
		return nil
	}

	stored := make([]table.Row, len(f.converted))
	for r, row := range f.converted {
		stored[r] = pick(row, places)
	}
	back, err := node.Convert(ctx, to, stored)
	if err != nil {
		return err
	}

	for r := range back {
		for n, place := range places {
			if !sameNumber(back[r][n], f.values[r][place]) {
				c := t.Columns[at[place]]
				return fault.New(fault.Invalid, "node %q: column %q is %s there, %s at the source: the value in the row with the key %s does not fit",
					t.Node, c.Name, c.Type, c.Back, f.keys[r])
			}
		}
	}
	return nil
}

// sameNumber reports whether two texts are equal apart from trailing zeros after a
// decimal point.
func sameNumber(a, b *string) bool {
	if a == nil || b == nil || *a == *b {
		return table.SameValue(a, b)
	}
	return trimZeros(*a) == trimZeros(*b)
}

func trimZeros(text string) string {
	if !strings.Contains(text, ".") || strings.Trim(text, "-.0123456789") != "" {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func keysAt(keys []table.Key, at []int) []table.Key {
	of := make([]table.Key, len(at))
	for i, place := range at {
		of[i] = keys[place]
	}
	return of
}

// row decides about one row. want is the source's row and have is the target's row; each
// is nil if it does not exist. digest is the digest of the source's row, or zero if rows
// are read without digests. lost has, by the index of the column, the source's values
// that convert replaced in want by a text that counts as different.
func (d *decider) row(want, have table.Row, digest int64, lost map[int]*string) error {
	switch {
	case d.isRepeated(want, have):
		return nil
	case want == nil && have == nil:
		d.totals.Unchanged++
		return nil
	case want == nil && (d.plan.UpsertOnly || d.plan.InsertOnly):
		d.totals.Skipped++
		return nil
	case want == nil:
		return d.change(change{Op: opDelete, Key: d.keyOf(have), Before: have})
	case have == nil:
		c := change{Op: opInsert, Key: d.keyOf(want), After: want, Digest: digest}
		c.WantedColumns, c.Wanted = d.unstorable(nil, lost)
		return d.change(c)
	}

	columns := d.differingColumns(want, have)
	switch {
	case len(columns) == 0:
		d.untouched(d.keyOf(have), d.unrepairableColumns(want, have, lost))
		return nil
	case d.plan.InsertOnly:
		d.totals.Skipped++
		return nil
	}
	c := change{Op: opUpdate, Key: d.keyOf(have), Before: have, Columns: columns, After: pick(want, columns), Digest: digest}
	c.WantedColumns, c.Wanted = d.unstorable(want, lost)
	return d.change(c)
}

// isRepeated reports whether these rows were already decided, under another key variant.
func (d *decider) isRepeated(want, have table.Row) bool {
	if d.seen == nil || want == nil && have == nil {
		return false
	}
	id := rowID(d, want) + "\x00\x00" + rowID(d, have)
	met := d.seen[id]
	d.seen[id] = true
	return met
}

func rowID(d *decider, row table.Row) string {
	if row == nil {
		return ""
	}
	return strings.Join(d.keyOf(row), "\x00")
}

// differingColumns returns the indexes of the columns that differ and that a repair can
// set: they are neither generated nor ignored.
func (d *decider) differingColumns(want, have table.Row) []int {
	var columns []int
	for i, c := range d.target.Columns[:d.target.Common] {
		if c.Written && !c.Ignored && !table.SameValue(want[i], have[i]) {
			columns = append(columns, i)
		}
	}
	return columns
}

func (d *decider) keyOf(row table.Row) table.Key {
	key := make(table.Key, len(d.key))
	for i, at := range d.key {
		key[i] = *row[at]
	}
	return key
}

func (d *decider) change(c change) error {
	for _, row := range []table.Row{c.Before, c.After} {
		for _, value := range row {
			if value != nil && !utf8.ValidString(*value) {
				return fault.New(fault.Invalid, "the row with the key %s has a value that is not valid UTF-8 and cannot be written back unchanged", c.Key)
			}
		}
	}
	if d.winners != nil {
		d.winners.explain(&c, int(d.at-1-d.first))
	}
	d.totals.count(c.Op, 1)
	d.predict(c)
	return d.emit(c)
}

func (t *Totals) count(op string, n int64) {
	switch op {
	case opInsert:
		t.Inserted += n
	case opUpdate:
		t.Updated += n
	case opDelete:
		t.Deleted += n
	}
}

func pick(row table.Row, at []int) table.Row {
	out := make(table.Row, len(at))
	for i, place := range at {
		out[i] = row[place]
	}
	return out
}

// lookahead returns the rows of a stream by their index: the index of the row's key in
// the list of requested keys.
type lookahead struct {
	stream table.RowStream
	row    table.KeyedRow
	place  int // index of row; -1 after the end of the stream
	next   int // index at which the next window starts
	read   bool
}

// eachRow calls fn for each of n requested keys, in their order, with the index of the
// key and its row; the row is nil if it does not exist. It closes the stream.
func eachRow(stream table.RowStream, n int, fn func(i int, row table.Row) error) error {
	rows := &lookahead{stream: stream}
	for i := range n {
		row, err := rows.at(i)
		if err == nil {
			err = fn(i, row.Row)
		}
		if err != nil {
			return cmp.Or(err, stream.Close())
		}
	}
	return stream.Close()
}

// at returns the row with this index. Its Row is nil if the key has no row. Indexes must
// be requested in ascending order.
func (l *lookahead) at(place int) (table.KeyedRow, error) {
	if !l.read {
		if err := l.advance(); err != nil {
			return table.KeyedRow{}, err
		}
	}
	if l.place != place {
		return table.KeyedRow{}, nil
	}
	row := l.row
	return row, l.advance()
}

func (l *lookahead) advance() error {
	place, row, err := l.stream.Next()
	l.read = true
	l.place = place
	l.row = row
	return err
}

// window returns the rows of the next indexes. Row is nil for a key without a row. It
// returns at most limit rows, and no more than a window may hold (windowRows,
// windowBytes).
func (l *lookahead) window(limit int) ([]table.KeyedRow, error) {
	var rows []table.KeyedRow
	size := 0
	for len(rows) < min(limit, windowRows) && size < windowBytes {
		row, err := l.at(l.next)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
		size += change{After: row.Row}.size()
		l.next++
	}
	return rows, nil
}
