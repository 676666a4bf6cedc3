package worker

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/blockplan"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// rows is a table of two columns: an integer key and a text.
type rows map[int]string

// scripted is a node whose table changes between snapshots. A real server cannot be made
// to change at exactly the right moment. Its n-th snapshot has states[n]; later ones have
// the last state.
type scripted struct {
	plan.Node
	name   string
	states []rows
	// Faults:
	loses  int    // rows that are missing at the end of a listing
	breaks int    // if not 0: the row stream fails after this many rows
	panics string // the method that panics

	young func(id int) bool // rows inserted by transaction 50; the others are older

	mu    sync.Mutex
	asked int // ranges whose ages were read
	begun int
	open  int
	most  int64 // highest limit of a listing
}

func (n *scripted) Name() string { return n.name }

// Expecting returns the node itself, since no server can be mistaken for it.
func (n *scripted) Expecting(table.Identity) plan.Node { return n }

func (n *scripted) Discreet() plan.Node { return n }

// RankKeys sorts keys in a transaction of its own.
func (n *scripted) RankKeys(_ context.Context, _ table.Source, keys []table.Key) ([]int, error) {
	return rankNumbers(keys)
}

func (n *scripted) Begin(context.Context, table.Access) (plan.Tx, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	state := n.states[min(n.begun, len(n.states)-1)]
	n.begun++
	n.open++
	return &scriptedTx{node: n, rows: state}, nil
}

type scriptedTx struct {
	plan.Tx
	node *scripted
	rows rows
}

func (t *scriptedTx) Close() {
	t.node.mu.Lock()
	defer t.node.mu.Unlock()
	t.node.open--
}

func (t *scriptedTx) enter(method string) {
	if t.node.panics == method {
		_ = t.node.states[len(t.node.states)]
	}
}

// within returns the keys of a range in order. The bucket of a key is the key modulo the
// number of buckets.
func (t *scriptedTx) within(s table.Source, r table.Range) []int {
	var ids []int
	for id := range t.rows {
		if (r.Lo == nil || id >= numberOf(r.Lo)) && (r.Hi == nil || id < numberOf(r.Hi)) &&
			(s.Within.Of == 0 || slices.Contains(s.Within.Numbers, id%s.Within.Of)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func digestOf(id int, text string) int64 {
	h := fnv.New64a()
	h.Write([]byte(strconv.Itoa(id) + "\x00" + text))
	return int64(h.Sum64())
}

func (t *scriptedTx) Sums(_ context.Context, s table.Source, ranges []table.Range, _ ...table.CallOption) ([]table.Sum, int64, error) {
	t.enter("Sums")
	sums := make([]table.Sum, len(ranges))
	for i, r := range ranges {
		for _, id := range t.within(s, r) {
			sums[i] = sums[i].Add(table.Sum{Rows: 1, Digest: digestOf(id, t.rows[id])})
		}
	}
	return sums, 1, nil
}

func (t *scriptedTx) Freshness(_ context.Context, s table.Source, ranges []table.Range) ([]table.Freshness, error) {
	t.node.mu.Lock()
	t.node.asked += len(ranges)
	t.node.mu.Unlock()
	found := make([]table.Freshness, len(ranges))
	for i, r := range ranges {
		ids := t.within(s, r)
		found[i] = table.Freshness{Rows: int64(len(ids)), Youngest: 1, Horizon: 60, Next: 60}
		if slices.ContainsFunc(ids, t.node.young) {
			found[i].Youngest = 50
		}
	}

	return found, nil
}

func (t *scriptedTx) List(_ context.Context, s table.Source, ranges []table.Range, limit int64, _ ...table.CallOption) ([][]table.Listed, error) {
	t.enter("List")
	t.node.mu.Lock()
	t.node.most = max(t.node.most, limit)
	t.node.mu.Unlock()
	lists := make([][]table.Listed, len(ranges))
	var total int64
	for i, r := range ranges {
		ids := t.within(s, r)
		for _, id := range ids[:max(0, len(ids)-t.node.loses)] {
			lists[i] = append(lists[i], table.Listed{Key: keyOf(id), Digest: digestOf(id, t.rows[id])})
			if total++; total > limit {
				return nil, table.ErrMore
			}
		}
	}

	return lists, nil
}

func (t *scriptedTx) Fingerprints(_ context.Context, s table.Source, ranges []table.Range, want table.FingerprintRequest, _ ...table.CallOption) ([]table.Fingerprint, error) {
	t.enter("Fingerprints")
	prints := make([]table.Fingerprint, len(ranges))
	var total int64
	for i, r := range ranges {
		var texts []string
		for _, id := range t.within(s, r) {
			prints[i].Rows = append(prints[i].Rows, digestOf(id, t.rows[id]))
			prints[i].KeyDigest ^= digestOf(id, "")
			texts = append(texts, strconv.Itoa(id))
			if total++; total > want.MaxRows || int64(len(texts)) > want.MaxRangeRows {
				return nil, table.ErrMore
			}
		}

		if want.Keys {
			prints[i].KeyArrays = []string{"{" + strings.Join(texts, ",") + "}"}
		}
	}

	return prints, nil
}

func (t *scriptedTx) ScanList(ctx context.Context, s table.Source, bounds []table.Key, ranges []int, limit int64, _ ...table.CallOption) ([][]table.Listed, error) {
	t.enter("ScanList")
	layout := blockplan.Layout{Bounds: bounds}
	lists := make([][]table.Listed, layout.Chunks())
	for chunk := range lists {
		if ranges == nil || slices.Contains(ranges, chunk) {
			of, err := t.List(ctx, s, []table.Range{layout.Chunk(chunk)}, limit)
			if err != nil {
				return nil, err
			}

			lists[chunk] = of[0]
			limit = limit - int64(len(of[0]))
		}
	}

	return lists, nil
}

func (t *scriptedTx) Cut(_ context.Context, s table.Source, r table.Range, step int64) ([]table.Key, error) {
	var keys []table.Key
	for i, id := range t.within(s, r) {
		if i > 0 && int64(i+1)%step == 0 {
			keys = append(keys, keyOf(id))
		}
	}
	return keys, nil
}

func (t *scriptedTx) Rank(_ context.Context, _ table.Source, keys []table.Key) ([]int, error) {
	return rankNumbers(keys)
}

func (t *scriptedTx) Digests(_ context.Context, _ table.Source, keys []table.Key, _ ...table.CallOption) ([]*int64, error) {
	t.enter("Digests")
	digests := make([]*int64, len(keys))
	for i, key := range keys {
		if text, ok := t.rows[numberOf(key)]; ok {
			digest := digestOf(numberOf(key), text)
			digests[i] = &digest
		}
	}
	return digests, nil
}

func (t *scriptedTx) Rows(_ context.Context, _ table.Source, keys []table.Key) (table.RowStream, error) {
	t.enter("Rows")
	return &scriptedStream{tx: t, keys: keys}, nil
}

type scriptedStream struct {
	tx    *scriptedTx
	keys  []table.Key
	at    int
	given int
}

func (s *scriptedStream) Next() (int, table.KeyedRow, error) {
	for ; s.at < len(s.keys); s.at++ {
		id := numberOf(s.keys[s.at])
		text, ok := s.tx.rows[id]
		if !ok {
			continue
		}
		if s.given++; s.tx.node.breaks > 0 && s.given > s.tx.node.breaks {
			return -1, table.KeyedRow{}, fault.New(fault.Unavailable, "node %q: the connection was lost", s.tx.node.name)
		}

		key := strconv.Itoa(id)
		s.at++
		return s.at - 1, table.KeyedRow{Digest: digestOf(id, text), Row: table.Row{&key, &text}}, nil
	}
	return -1, table.KeyedRow{}, nil
}

func (s *scriptedStream) Close() error { return nil }

func keyOf(id int) table.Key { return table.Key{strconv.Itoa(id)} }

// stage is a plan over scripted nodes, and a worker for it.
type stage struct {
	store  archive.Store
	nodes  []*scripted
	plan   *plan.Plan
	worker *Worker
}

// Open returns the scripted nodes.
func (s *stage) Open(context.Context, string, string, []string) ([]plan.Node, error) {
	nodes := make([]plan.Node, len(s.nodes))
	for i, n := range s.nodes {
		nodes[i] = n
	}
	return nodes, nil
}

// newStage makes a plan of three chunks, bounded by 100 and 200, in blocks of two.
func newStage(t *testing.T, store archive.Store, taskID string, nodes ...*scripted) *stage {
	t.Helper()
	s := &stage{store: store, nodes: nodes}
	p := &plan.Plan{
		Format: plan.Format, TaskID: taskID, Strategy: plan.KeyRanges, Key: []string{"id"},
		Columns:   []difffile.Column{{Name: "id", Type: "integer"}, {Name: "v", Type: "text"}},
		Layout:    blockplan.Layout{Bounds: []table.Key{keyOf(100), keyOf(200)}, ChunksPerBlock: 2, BlocksPerBatch: 10},
		BlockRows: 1000, ChunkRows: 100, Workers: 1, MaxDiffRows: 1000, ConfirmDelay: time.Millisecond,
	}

	for i, n := range nodes {
		n.name = "n" + strconv.Itoa(i+1)
		p.Nodes = append(p.Nodes, n.name)
		p.Sources = append(p.Sources, table.Source{Node: n.name})
	}

	s.plan = p
	s.worker = New(store, s, time.Minute)
	return s
}

// publish stores the plan, which a test may have changed before.
func (s *stage) publish(t *testing.T) {
	t.Helper()
	p, err := plan.Store(t.Context(), s.store, s.plan)
	if err != nil {
		t.Fatal(err)
	}
	s.plan = p
}

func (s *stage) unit(phase string) plan.Unit {
	u := plan.Unit{TaskID: s.plan.TaskID, PlanHash: s.plan.Hash(), Phase: phase, To: s.plan.Layout.Chunks()}
	if phase == plan.PhaseConfirm {
		u.Before = make([]int64, len(s.plan.Pairs()))
	}
	return u
}

// do does a unit. The test fails if that fails or leaves a transaction open.
func (s *stage) do(t *testing.T, u plan.Unit) plan.Totals {
	t.Helper()
	totals, err := s.worker.Do(t.Context(), u)
	if err != nil {
		t.Fatalf("%s: %v", u.Phase, err)
	}
	s.checkClosed(t)
	return totals
}

func (s *stage) checkClosed(t *testing.T) {
	t.Helper()
	for _, n := range s.nodes {
		if n.open != 0 {
			t.Errorf("node %s has %d open transactions", n.name, n.open)
		}
	}
}

// findings reads the confirm part.
func (s *stage) findings(t *testing.T) []plan.Finding {
	t.Helper()
	u := s.unit(plan.PhaseConfirm)
	reader, err := part.Open(t.Context(), s.store, u.PartKey(), u.PartHeader())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()

	var found []plan.Finding
	for {
		line, err := reader.NextLine()
		if err != nil {
			t.Fatal(err)
		}
		if line == nil {
			return found
		}

		f, err := plan.ReadFinding(slices.Clone(line), len(s.plan.Pairs()), len(s.nodes))
		if err != nil {
			t.Fatal(err)
		}

		found = append(found, f)
	}
}
