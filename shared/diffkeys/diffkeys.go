package diffkeys

import (
	"context"
	"slices"
	"strings"

	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/table"
)

// Options determines which keys are collected and how they are ordered.
type Options struct {
	// Columns are the columns of the key, in the order of its index.
	Columns []string
	// Pairs reports whether the keys in the rows of a pair of nodes are collected. If Pairs
	// is nil, the keys of all pairs are collected.
	Pairs func(difffile.Pair) bool
	// Canonical, if not nil, returns the canonical spelling of each key. Keys with the same
	// canonical spelling are one key.
	Canonical func([]table.Key) ([]table.Key, error)
	// Rank returns the rank of each key in key order. Keys that the server considers
	// equal have the same rank.
	Rank func([]table.Key) ([]int, error)
	// Spool stores the keys that do not fit into memory.
	Spool Spool

	limits limits
}

// Spool stores runs: sequences of lines that are written once, from beginning to end, and
// read in the same order.
type Spool interface {
	// Create starts the run with this number. The caller must use each number only once.
	Create(ctx context.Context, run int) (RunWriter, error)
	// Open opens a run for which Seal has succeeded. Several runs can be open at once.
	Open(ctx context.Context, run int) (RunReader, error)
}

// RunWriter writes one run. Seal completes the run, so that it can be opened. Abort
// discards it. The caller must call Seal or Abort. Abort after Seal does nothing.
type RunWriter interface {
	Line(line []byte) error
	Seal(ctx context.Context) error
	Abort()
}

// RunReader reads one run. The caller must close it.
type RunReader interface {
	// NextLine returns the next line, or nil at the end of the run. The line is valid until
	// the next call.
	NextLine() ([]byte, error)
	Close()
}

// limits bounds the use of memory.
type limits struct {
	chunkKeys  int // number of collected keys at which the keys are ranked
	chunkBytes int // length in bytes of the texts of the collected keys at which they are ranked
	headKeys   int // maximum number of keys that are buffered for each run during a merge
	headBytes  int // length in bytes of the texts of the buffered keys after which no further key is buffered
	fanIn      int // maximum number of runs that are merged at once
}

func defaults() limits {
	return limits{chunkKeys: 100_000, chunkBytes: 8 << 20, headKeys: 4_000, headBytes: 512 << 10, fanIn: 16}
}

// Keys holds the keys of one document, in memory or as runs in the spool.
type Keys struct {
	o      Options
	memory []table.Key
	runs   []int
	next   int // number of the next run
}

// Collect returns the keys of the rows of a document. The caller must have read the
// summary of the document from doc, and Collect reads the rest.
func Collect(ctx context.Context, doc *difffile.Reader, o Options) (*Keys, error) {
	if o.limits == (limits{}) {
		o.limits = defaults()
	}

	doc.Only(o.Columns)
	c := &collector{keys: &Keys{o: o}, seen: newSeen()}
	defer c.abort()

	err := doc.Walk(func(e difffile.Entry) error { return c.addRow(ctx, e) }, nil)
	if err != nil {
		return nil, err
	}

	return c.keys, c.finish(ctx)
}

// collector collects the keys of a document from its rows.
type collector struct {
	keys   *Keys
	at     []int // index of each key column in a row; nil before the first row
	buffer []table.Key
	bytes  int
	seen   *seen      // finds keys that are already in buffer
	run    *runWriter // the run to which the next buffer may be appended
}

func (c *collector) addRow(ctx context.Context, e difffile.Entry) error {
	if c.keys.o.Pairs != nil && !c.keys.o.Pairs(e.Pair) {
		return nil
	}

	if c.at == nil { // all rows have the same columns
		var err error
		if c.at, err = keyColumns(e.Columns, c.keys.o.Columns); err != nil {
			return err
		}
	}

	key := make(table.Key, len(c.at))
	for i, at := range c.at {
		if e.Row[at] == nil {
			return fault.New(fault.Invalid, "the diff document has a row of pair %s on node %s whose key column %q is null", e.Pair, e.Node, c.keys.o.Columns[i])
		}
		key[i] = *e.Row[at]
	}

	return c.add(ctx, key)
}

func keyColumns(columns []difffile.Column, key []string) ([]int, error) {
	at := make([]int, len(key))
	for i, name := range key {
		at[i] = slices.IndexFunc(columns, func(c difffile.Column) bool { return c.Name == name })
		if at[i] < 0 {
			return nil, fault.New(fault.Invalid, "the rows of the diff document lack column %q of the table's key (%s)", name, strings.Join(key, ", "))
		}
	}
	return at, nil
}

func (c *collector) add(ctx context.Context, key table.Key) error {
	if c.seen.has(c.buffer, key) {
		return nil
	}

	if len(c.buffer) >= c.keys.o.limits.chunkKeys || c.bytes >= c.keys.o.limits.chunkBytes {
		if err := c.spill(ctx); err != nil {
			return err
		}
	}

	c.seen.add(len(c.buffer))
	c.buffer = append(c.buffer, key)
	c.bytes += key.Len()
	return nil
}

// finish sorts the keys that are left in the buffer. If earlier keys were written to the
// spool, finish writes the keys of the buffer to the spool too. Otherwise they stay in
// memory.
func (c *collector) finish(ctx context.Context) error {
	if c.run != nil {
		if err := c.spill(ctx); err != nil {
			return err
		}
		return c.seal(ctx)
	}
	sorted, err := c.keys.sort(c.buffer)
	c.keys.memory = sorted
	return err
}

// spill sorts the buffered keys and writes them to the spool. It appends them to the open
// run if they all follow the last key of that run. Otherwise it starts a new run.
func (c *collector) spill(ctx context.Context) error {
	sorted, err := c.keys.sort(c.buffer)
	if err != nil {
		return err
	}

	c.buffer, c.bytes = c.buffer[:0], 0
	c.seen.clear()
	if len(sorted) == 0 {
		return nil
	}

	if follows, err := c.follows(sorted[0]); err != nil {
		return err
	} else if !follows {
		if err := c.begin(ctx); err != nil {
			return err
		}
	}

	return c.run.write(sorted)
}

// follows reports whether the key first is higher than all keys of the open run. It
// returns false if no run is open.
func (c *collector) follows(first table.Key) (bool, error) {
	if c.run == nil {
		return false, nil
	}
	ranks, err := c.keys.rank([]table.Key{c.run.last, first})
	if err != nil {
		return false, err
	}
	return ranks[0] < ranks[1], nil
}

func (c *collector) begin(ctx context.Context) error {
	if err := c.seal(ctx); err != nil {
		return err
	}
	run, err := c.keys.create(ctx)
	if err != nil {
		return err
	}
	c.run = run
	c.keys.runs = append(c.keys.runs, run.number)
	return nil
}

func (c *collector) seal(ctx context.Context) error {
	if c.run == nil {
		return nil
	}
	return c.run.seal(ctx)
}

func (c *collector) abort() {
	if c.run != nil {
		c.run.abort()
	}
}
