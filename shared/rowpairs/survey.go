package rowpairs

import (
	"context"
	"io"
	"slices"

	"ace/shared/bitmap"
	"ace/shared/difffile"
	"ace/shared/fault"
)

// Opener opens a document at an offset in bytes. All streams must return the same version
// of the document. The streams are independent of each other, and this package closes
// them.
type Opener func(ctx context.Context, offset int64) (io.ReadCloser, error)

// Document is a diff document whose rows have been paired by a survey.
type Document struct {
	open   Opener
	reader *difffile.Reader
	key    []int // indexes of the key columns in a row
	hash   hasher
	pairs  []*pair // the pairs that have rows
}

// pair is what the survey found about one pair of nodes.
type pair struct {
	nodes     difffile.Pair
	sections  [2]section
	both      [2]bitmap.Set     // for each node, the numbers of the rows whose key has the same text on both nodes
	matched   int64             // number of keys with the same text on both nodes
	unsettled []uint64          // hashes of the unsettled keys, sorted
	variants  map[uint64]uint64 // key variants: hash of the key on the first node -> hash on the second
	variantOf map[uint64]bool   // the values of variants
}

// section describes the rows of one node of a pair.
type section struct {
	first difffile.Entry
	rows  int64
	// written is the first element of the section's list of last writes. Its node is empty
	// if the document has no such list.
	written difffile.WrittenEntry
}

// Open reads and checks a whole document and determines which rows belong together. It
// returns the errors of difffile, and Invalid if the rows of the document cannot be
// paired.
func Open(ctx context.Context, open Opener) (*Document, error) { return survey(ctx, open, maxMarks) }

func survey(ctx context.Context, open Opener, maxMarks int) (*Document, error) {
	stream, err := open(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer stream.Close()

	d := &Document{open: open}
	if d.reader, err = difffile.Open(stream); err != nil {
		return nil, err
	}
	if d.reader.Peer() {
		return nil, fault.New(fault.Invalid,
			"the diff document was written by another tool and does not name its key columns: "+
				"the rows of two nodes cannot be paired")
	}
	d.key = keyColumns(d.Summary())

	capacity := min(maxMarks+1, expectedMarks(d.Summary()))
	s := &surveyor{Document: d, marks: marks{max: maxMarks, list: make([]mark, 0, capacity)}}
	err = d.reader.Visit(difffile.Visitor{
		Row:         func(e difffile.Entry) error { return s.row(ctx, e) },
		Unsettled:   s.unsettled,
		KeyVariants: s.keyVariants,
		Written:     s.written,
	})
	if err == nil {
		err = s.finish(ctx)
	}
	for _, p := range d.pairs {
		slices.Sort(p.unsettled)
	}
	return d, err
}

// Summary returns the summary of the document.
func (d *Document) Summary() difffile.Summary { return d.reader.Summary() }

// Key returns the indexes of the key columns in a row.
func (d *Document) Key() []int { return d.key }

// Count returns the number of differences in the document. If both nodes of a pair have a
// row for a key, the two rows are one difference.
func (d *Document) Count() int64 {
	var n int64
	for _, p := range d.pairs {
		n += p.sections[0].rows + p.sections[1].rows - p.matched - int64(len(p.variants))
	}
	return n
}

func keyColumns(s difffile.Summary) []int {
	at := make([]int, len(s.PrimaryKey))
	for i, name := range s.PrimaryKey {
		at[i] = slices.IndexFunc(s.Columns, func(c difffile.Column) bool { return c.Name == name })
	}
	return at
}

// expectedMarks returns the number of marks that the largest pair needs, for the initial
// capacity of the list of marks.
func expectedMarks(s difffile.Summary) int {
	var rows int64
	for _, p := range s.Pairs {
		rows = max(rows, p.OnlyOn[p.Nodes[0]]+p.OnlyOn[p.Nodes[1]]+2*p.Different)
	}
	return int(max(rows, 0))
}

// keyOf returns the key of a row.
func (d *Document) keyOf(row difffile.Row) difffile.Row {
	key := make(difffile.Row, len(d.key))
	for i, at := range d.key {
		key[i] = row[at]
	}
	return key
}

// surveyor does the survey: it reads a document to find out which rows belong together.
type surveyor struct {
	*Document
	current *pair
	marks   marks
}

// row handles one row of the document.
func (s *surveyor) row(ctx context.Context, e difffile.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.current == nil || s.current.nodes != e.Pair {
		if err := s.finish(ctx); err != nil {
			return err
		}
		s.begin(e.Pair)
	}

	side := slices.Index(e.Pair[:], e.Node)
	section := &s.current.sections[side]
	s.marks.add(newMark(s.hash.of(s.keyOf(e.Row)), side, section.rows))
	if section.rows == 0 {
		section.first = e
	}
	section.rows++
	return nil
}

// begin starts the survey of another pair.
func (s *surveyor) begin(nodes difffile.Pair) {
	s.current = &pair{nodes: nodes, variants: map[uint64]uint64{}, variantOf: map[uint64]bool{}}
	s.pairs = append(s.pairs, s.current)
	s.marks.list = s.marks.list[:0]
	s.marks.share = 0
	s.marks.shares = 1
}

// finish matches the rows of the current pair. It must be called after the last row of
// the pair.
func (s *surveyor) finish(ctx context.Context) error {
	if s.current == nil {
		return nil
	}
	for {
		n, ok := s.marks.match(&s.current.both)
		if !ok {
			return fault.New(fault.Invalid,
				"the diff document has two rows of the same key for one node of pair %s", s.current.nodes)
		}
		s.current.matched += n

		s.marks.share++
		if s.marks.share == s.marks.shares {
			return nil
		}

		s.marks.list = s.marks.list[:0]
		for side := range s.current.sections {
			if err := s.readAgain(ctx, side); err != nil {
				return err
			}
		}
	}
}

// readAgain reads the rows of one node of the current pair again and adds their keys to
// the marks; marks.add ignores the keys that are not in the current share. side is the
// index of the node in the pair.
func (s *surveyor) readAgain(ctx context.Context, side int) error {
	c, err := s.openCursor(ctx, s.current.sections[side])
	if err != nil {
		return err
	}
	defer c.close()

	for c.row != nil {
		s.marks.add(newMark(s.hash.of(s.keyOf(c.row)), side, c.number))
		if err := c.advance(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *surveyor) unsettled(nodes difffile.Pair, key difffile.Row) error {
	if p := s.find(nodes); p != nil {
		p.unsettled = append(p.unsettled, s.hash.of(key))
	}
	return nil
}

func (s *surveyor) keyVariants(nodes difffile.Pair, keys [2]difffile.Row) error {
	if p := s.find(nodes); p != nil {
		first, second := s.hash.of(keys[0]), s.hash.of(keys[1])
		p.variants[first] = second
		p.variantOf[second] = true
	}
	return nil
}

// written handles one element of the lists of last writes. It records where the list of
// each section begins.
func (s *surveyor) written(e difffile.WrittenEntry) error {
	if p := s.find(e.Pair); p != nil {
		section := &p.sections[slices.Index(e.Pair[:], e.Node)]
		if section.written.Node == "" {
			section.written = e
		}
	}
	return nil
}

// find returns the pair of these nodes. It returns nil if the document has no rows of the
// pair.
func (d *Document) find(nodes difffile.Pair) *pair {
	for _, p := range d.pairs {
		if p.nodes == nodes {
			return p
		}
	}
	return nil
}
