package rowpairs

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/table"
)

// Key holds what the nodes have for one key of a document.
type Key struct {
	Rows      []difffile.Row // one for each node of the summary; nil if the node is not Present. Their memory is not reused.
	States    []State        // one for each node of the summary
	Unsettled bool           // a row was still changing when last read
	// Writes are the last writes of the rows, one for each node of the summary; nil if the
	// document does not list the write.
	Writes []*difffile.LastWrite
}

// State is what a document lists for a node and a key.
type State int

// The states.
const (
	Unknown State = iota // it is not known whether the node has the key: the document does not list all rows of the node's pairs
	Absent               // the node has no row with the key
	Present              // the node has a row with the key
)

// Keys reads a document key by key over all nodes.
type Keys struct {
	doc      *Document
	nodes    []string
	sections []nodeSection
	same     map[uint64]uint64 // hash of a key variant -> a smaller hash of another variant of the same key (see canonical)
	counts   [][]uint16        // for each section, for each row: the number of sections that list its key
	count    int64             // number of keys
	complete map[[2]int]bool   // indexes of two nodes -> whether the document lists all rows of this pair
}

// nodeSection is a section and the node that its rows are from.
type nodeSection struct {
	section
	pair  *pair
	side  int    // index of the section in the pair
	nodes [2]int // indexes of the pair's nodes in the summary
}

// node returns the index of the node that has the rows.
func (s *nodeSection) node() int { return s.nodes[s.side] }

// Keys determines which rows of all pairs have the same key. If the document has several
// pairs, it reads all rows once more.
func (d *Document) Keys(ctx context.Context) (*Keys, error) { return d.keys(ctx, maxMarks) }

func (d *Document) keys(ctx context.Context, maxMarks int) (*Keys, error) {
	s := d.Summary()
	k := &Keys{doc: d, nodes: s.Nodes, same: map[uint64]uint64{}, complete: map[[2]int]bool{}}
	for _, p := range d.pairs {
		for side, section := range p.sections {
			if section.rows > 0 {
				k.sections = append(k.sections, nodeSection{section, p, side, k.indexes(p.nodes)})
			}
		}
		for first, second := range p.variants {
			k.merge(first, second)
		}
	}

	for _, p := range s.Pairs {
		k.complete[k.indexes(p.Nodes)] = d.listsAll(p)
	}

	if len(d.pairs) > 1 {
		return k, k.survey(ctx, maxMarks)
	}
	k.count = d.Count()
	return k, nil
}

// indexes returns the indexes of two nodes in the summary.
func (k *Keys) indexes(nodes difffile.Pair) [2]int {
	return [2]int{slices.Index(k.nodes, nodes[0]), slices.Index(k.nodes, nodes[1])}
}

// Count returns the number of keys that the document lists.
func (k *Keys) Count() int64 { return k.count }

// listsAll reports whether the document has all rows that the summary counts for a pair.
func (d *Document) listsAll(p difffile.PairSummary) bool {
	listed := [2]int64{}
	if found := d.find(p.Nodes); found != nil {
		listed = [2]int64{found.sections[0].rows, found.sections[1].rows}
	}
	return listed == [2]int64{p.OnlyOn[p.Nodes[0]] + p.Different, p.OnlyOn[p.Nodes[1]] + p.Different}
}

// merge records that two hashes belong to variants of the same key.
func (k *Keys) merge(a, b uint64) {
	a, b = k.canonical(a), k.canonical(b)
	if a != b {
		k.same[max(a, b)] = min(a, b)
	}
}

// canonical returns the hash that stands for all variants of a key.
func (k *Keys) canonical(hash uint64) uint64 {
	for {
		next, isVariant := k.same[hash]
		if !isVariant {
			return hash
		}
		hash = next
	}
}

// survey counts, for each row, the sections that list its key. If the marks do not fit
// into memory, it reads the rows several times, like the survey of pairs.
func (k *Keys) survey(ctx context.Context, maxMarks int) error {
	k.counts = make([][]uint16, len(k.sections))
	for at, s := range k.sections {
		k.counts[at] = make([]uint16, s.rows)
	}

	m := marks{max: maxMarks, shares: 1}
	for ; m.share < m.shares; m.share++ {
		m.list = m.list[:0]
		for at := range k.sections {
			if err := k.mark(ctx, at, &m); err != nil {
				return err
			}
		}
		k.countEqual(m.list)
	}
	return nil
}

// mark adds the marks of the rows of one section. at is the index of the section. In
// these marks, the index of the section replaces the side: mark.at is the number of the
// row times the number of sections, plus the index of the section.
func (k *Keys) mark(ctx context.Context, at int, m *marks) error {
	h := &head{at: at}
	if err := k.open(ctx, h); err != nil {
		return err
	}
	defer h.close()

	for h.row != nil {
		m.add(mark{h.hash, h.number*int64(len(k.sections)) + int64(at)})
		if err := k.advance(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// countEqual counts the marks that have the same hash. It stores the number in counts for
// the row of each of these marks.
func (k *Keys) countEqual(list []mark) {
	slices.SortFunc(list, func(a, b mark) int { return cmp.Compare(a.hash, b.hash) })
	n := int64(len(k.sections))
	for len(list) > 0 {
		end := slices.IndexFunc(list, func(m mark) bool { return m.hash != list[0].hash })
		if end < 0 {
			end = len(list)
		}
		for _, m := range list[:end] {
			k.counts[m.at%n][m.at/n] = uint16(min(end, 1<<16-1))
		}
		list = list[end:]
		k.count++
	}
}

// head is a cursor at the first row of a section that has not been returned yet.
type head struct {
	*cursor
	at   int    // index of the section in Keys.sections
	hash uint64 // canonical hash of the row's key
}

func (k *Keys) open(ctx context.Context, h *head) (err error) {
	if h.cursor, err = k.doc.openCursor(ctx, k.sections[h.at].section); err == nil {
		k.rehash(h)
	}
	return err
}

func (k *Keys) advance(ctx context.Context, h *head) error {
	err := h.cursor.advance(ctx)
	k.rehash(h)
	return err
}

func (k *Keys) rehash(h *head) {
	if h.row != nil {
		h.hash = k.canonical(k.doc.hash.of(k.doc.keyOf(h.row)))
	}
}

// sectionsOf returns the number of sections that list the key of a head.
func (k *Keys) sectionsOf(h *head) int {
	if k.counts != nil {
		return int(k.counts[h.at][h.number])
	}

	// There is one pair. Its survey has found the keys that both nodes have.
	s := k.sections[h.at]
	if k.doc.isAlone(s.pair, s.side, h.cursor) {
		return 1
	}
	return 2
}

// All returns all keys of the document, in the order of their rows. The sequence ends
// with the first error.
func (k *Keys) All(ctx context.Context) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		m := &merger{Keys: k, waiting: map[uint64][]*head{}}
		defer m.close()
		for at := range k.sections {
			h := &head{at: at}
			if err := k.open(ctx, h); err != nil {
				yield(Key{}, err)
				return
			}
			m.heads = append(m.heads, h)
			m.wait(h)
		}
		for len(m.waiting) > 0 {
			key, err := m.next(ctx)
			if !yield(key, err) || err != nil {
				return
			}
		}
	}
}

// merger reads all sections at once. All sections list their keys in the same order. So a
// key is complete as soon as it is the head of each section that lists it. Until then,
// the sections that have reached the key wait for the others.
type merger struct {
	*Keys
	heads   []*head
	waiting map[uint64][]*head // hash of a key -> the heads that have reached this key
	ready   []uint64           // hashes of the keys that have been reached by every section that lists them
}

func (m *merger) close() {
	for _, h := range m.heads {
		h.close()
	}
}

// wait adds a head to the heads that have reached its key. If all sections that list the
// key have reached it, the key is ready.
func (m *merger) wait(h *head) {
	if h.row == nil {
		return
	}
	reached := append(m.waiting[h.hash], h)
	m.waiting[h.hash] = reached
	if len(reached) == m.sectionsOf(h) {
		m.ready = append(m.ready, h.hash)
	}
}

// next returns the ready key that precedes all other ready keys (see before), and
// advances its sections.
func (m *merger) next(ctx context.Context) (Key, error) {
	if len(m.ready) == 0 {
		return Key{}, m.outOfOrder()
	}

	first := 0
	for i := 1; i < len(m.ready); i++ {
		if before(m.keyOf(m.ready[i]), m.keyOf(m.ready[first])) {
			first = i
		}
	}
	hash := m.ready[first]
	m.ready = slices.Delete(m.ready, first, first+1)
	reached := m.waiting[hash]
	delete(m.waiting, hash)

	key, err := m.key(ctx, reached)
	for _, h := range reached {
		if err == nil {
			err = m.advance(ctx, h)
			m.wait(h)
		}
	}
	return key, err
}

// keyOf returns the key that has this hash, as it is written in the first section that
// has reached it.
func (m *merger) keyOf(hash uint64) difffile.Row { return m.doc.keyOf(m.waiting[hash][0].row) }

// outOfOrder returns the error of sections whose orders contradict each other.
func (m *merger) outOfOrder() error {
	waiting := slices.DeleteFunc(slices.Clone(m.heads), func(h *head) bool { return h.row == nil })
	a, b := waiting[0], waiting[len(waiting)-1]
	first, last := m.sections[a.at], m.sections[b.at]
	return fault.New(fault.Invalid,
		"the diff document lists the rows of pair %s in a different order for each node: "+
			"row %d of node %s and row %d of node %s (pair %s) do not belong together",
		first.pair.nodes, a.number+1, m.nodes[first.node()], b.number+1, m.nodes[last.node()], last.pair.nodes)
}

// key returns the Key of the given heads, which must be all heads with this key.
func (m *merger) key(ctx context.Context, reached []*head) (Key, error) {
	key := Key{Rows: make([]difffile.Row, len(m.nodes)), States: make([]State, len(m.nodes)), Writes: make([]*difffile.LastWrite, len(m.nodes))}
	listed := make([][2]int, 0, len(reached))
	for _, h := range reached {
		s := &m.sections[h.at]
		if !m.sameKey(reached[0], h) {
			return Key{}, fault.New(fault.Internal, "two keys of the diff document have the same hash; render it again")
		}
		write, err := h.lastWrite(ctx)
		if err != nil {
			return Key{}, err
		}
		if write != nil {
			key.Writes[s.node()] = write
		}
		key.Rows[s.node()], key.States[s.node()] = h.row, Present
		key.Unsettled = key.Unsettled || m.doc.isUnsettled(s.pair, h.row)
		listed = append(listed, s.nodes)
	}

	// If a pair lists the key for only one of its nodes, the other node lacks the key.
	for _, pair := range listed {
		for _, node := range pair {
			if key.States[node] == Unknown {
				key.States[node] = Absent
			}
		}
	}
	m.infer(&key, listed)
	return key, nil
}

// sameKey reports whether two heads have the same key. The heads have the same canonical
// hash. So their keys are variants of one key if the hashes of their texts differ. If
// these hashes are equal but the texts differ, the heads have different keys that happen
// to have the same hash.
func (m *merger) sameKey(a, b *head) bool {
	x, y := m.doc.keyOf(a.row), m.doc.keyOf(b.row)
	return slices.EqualFunc(x, y, table.SameValue) || m.doc.hash.of(x) != m.doc.hash.of(y)
}

// infer determines the states of the nodes that are in none of the listed pairs. If the
// document lists all rows of a pair but not this key, the two nodes of the pair have the
// same row, or both lack it. So if the state of one of them is known, the other has the
// same state.
func (m *merger) infer(key *Key, listed [][2]int) {
	if !slices.Contains(key.States, Unknown) {
		return
	}
	known := slices.Clone(key.States)
	for i := range m.nodes {
		for j := 0; j < len(m.nodes) && key.States[i] == Unknown; j++ {
			pair := [2]int{min(i, j), max(i, j)}
			if known[j] != Unknown && m.complete[pair] && !slices.Contains(listed, pair) {
				key.Rows[i], key.States[i] = key.Rows[j], key.States[j]
			}
		}
	}
}
