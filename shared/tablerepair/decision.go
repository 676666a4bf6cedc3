package tablerepair

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/part"
	"ace/shared/resolve"
	"ace/shared/table"
)

// decision is the stored decision of a repair by rule about one key. It is stored once,
// before any node is changed, and never replaced. Every node gets the version that it
// names.
type decision struct {
	key     table.Key
	verdict resolve.Verdict
	rule    int
	reason  string
	seen    []seenVersion // for each voter
	digest  int64         // the digest of the winning row; zero for a composed row
	row     table.Row     // the winning row; nil unless verdict is Row, and in a brief decision
}

// seenVersion is the version that a node had when the key was decided.
type seenVersion struct {
	present bool
	wins    bool // it is the winning version
	digest  int64
}

// changes reports whether a node with this version has to be changed.
func (d *decision) changes(voter int) bool {
	return (d.verdict == resolve.Row || d.verdict == resolve.Absent) && !d.seen[voter].wins
}

// holds reports whether a node's current version, given by its digest (nil if there is no
// row), is the version that was seen on the node or the winning one. It returns false for
// a composed winner, whose digest is not known.
func (d *decision) holds(voter int, digest *int64) bool {
	was := d.seen[voter]
	if digest == nil {
		return !was.present || d.verdict == resolve.Absent
	}
	return was.present && was.digest == *digest || d.verdict == resolve.Row && d.digest != 0 && d.digest == *digest
}

// A decision is stored as a row of a packed part: key, verdict, rule, reason, for each
// voter a byte of flags and the digest if the node had a row, the digest of the winner,
// and the winner. Lists and texts are as in a packed change.
const (
	flagPresent = 1 << iota
	flagWins
)

func (d *decision) appendPacked(out []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(d.key)))
	for _, text := range d.key {
		out = appendText(out, text)
	}
	out = append(out, byte(d.verdict))
	out = binary.AppendUvarint(out, uint64(d.rule))
	out = appendText(out, d.reason)
	for _, v := range d.seen {
		flags := byte(0)
		if v.present {
			flags |= flagPresent
		}
		if v.wins {
			flags |= flagWins
		}
		out = append(out, flags)
		if v.present {
			out = binary.LittleEndian.AppendUint64(out, uint64(v.digest))
		}
	}
	out = binary.LittleEndian.AppendUint64(out, uint64(d.digest))
	return appendPackedRow(out, d.row)
}

// readDecision reads what appendPacked wrote. If brief is set, it does not decode the
// row, and the result needs no memory for it.
func readDecision(line []byte, voters int, brief bool) (d decision, err error) {
	r := packedReader{text: string(line)}
	for _, text := range r.row() {
		if text == nil {
			return d, errPacked
		}
		d.key = append(d.key, *text)
	}
	d.verdict = resolve.Verdict(r.number())
	d.rule = int(r.number())
	d.reason, _ = r.value()
	d.seen = make([]seenVersion, voters)
	for i := range d.seen {
		flags := r.number()
		d.seen[i] = seenVersion{present: flags&flagPresent != 0, wins: flags&flagWins != 0}
		if d.seen[i].present {
			d.seen[i].digest = r.fixed()
		}
	}
	d.digest = r.fixed()
	if brief {
		d.release()
	} else {
		d.row = r.row()
		r.damaged = r.damaged || r.text != ""
	}
	if r.damaged || d.verdict > resolve.Absent {
		return d, errPacked
	}
	return d, nil
}

// release copies the texts of a decision. They are parts of its line, which also has the
// row and would stay in memory as long as they do.
func (d *decision) release() {
	for i, text := range d.key {
		d.key[i] = strings.Clone(text)
	}
	d.reason = strings.Clone(d.reason)
}

// UndecidedKey is a key that a repair by rule leaves alone, with the reason.
type UndecidedKey struct {
	Key    table.Key `json:"key"`
	Reason string    `json:"reason"`
}

// maxUndecidedKeys bounds the keys that a result names.
const maxUndecidedKeys = 100

// decidedTotals counts the decisions of a part. It is the footer of the part.
type decidedTotals struct {
	Keys      int64 `json:"keys"`
	Undecided int64 `json:"undecided"`
	// UndecidedKeys has the first of the undecided keys.
	UndecidedKeys []UndecidedKey `json:"undecided_keys,omitempty"`
	Rules         map[int]int64  `json:"rules,omitempty"` // number of keys by the number of the rule
	Changes       []int64        `json:"changes"`         // number of keys to change, for each voter
}

func (t *decidedTotals) count(d *decision) {
	t.Keys++
	if d.rule > 0 {
		if t.Rules == nil {
			t.Rules = map[int]int64{}
		}
		t.Rules[d.rule]++
	}
	if d.verdict == resolve.Undecided {
		t.Undecided++
		if len(t.UndecidedKeys) < maxUndecidedKeys {
			t.UndecidedKeys = append(t.UndecidedKeys, UndecidedKey{d.key, d.reason})
		}
	}
	for voter := range d.seen {
		if d.changes(voter) {
			t.Changes[voter]++
		}
	}
}

func (t *decidedTotals) add(o decidedTotals) {
	t.Keys += o.Keys
	t.Undecided += o.Undecided
	left := maxUndecidedKeys - len(t.UndecidedKeys)
	t.UndecidedKeys = append(t.UndecidedKeys, o.UndecidedKeys[:min(left, len(o.UndecidedKeys))]...)
	for rule, n := range o.Rules {
		if t.Rules == nil {
			t.Rules = map[int]int64{}
		}
		t.Rules[rule] += n
	}
	for voter, n := range o.Changes {
		t.Changes[voter] += n
	}
}

// decisionPart returns the object key and the header of the decisions about the n-th part
// of keys.
func (p *Plan) decisionPart(n int) (key string, header part.Header) {
	name := fmt.Sprintf("%06d", n)
	return archive.PartKey(p.TaskID, phaseDecide, name), part.Header{TaskID: p.TaskID, PlanHash: p.Hash(), Unit: phaseDecide + "-" + name}
}

// decisionReader reads the decisions of one part.
type decisionReader struct {
	reader *part.Reader
	voters int
}

func openDecisions(ctx context.Context, store archive.Store, p *Plan, n int) (*decisionReader, error) {
	key, header := p.decisionPart(n)
	r, err := part.Open(ctx, store, key, header)
	if err != nil {
		return nil, err
	}
	return &decisionReader{r, len(p.Resolve.Voters)}, nil
}

// next returns the next decision. It returns false after the last one.
func (r *decisionReader) next(brief bool) (d decision, more bool, err error) {
	line, err := r.reader.NextLine()
	if err != nil || line == nil {
		return d, false, err
	}
	if d, err = readDecision(line, r.voters, brief); err != nil {
		return d, false, r.reader.Damaged(err)
	}
	return d, true, nil
}

func (r *decisionReader) close() { r.reader.Close() }

// parseWriteTime converts the commit time of a row. It returns zero if it is not known.
func parseWriteTime(w *table.LastWrite) (time.Time, string) {
	if w == nil {
		return time.Time{}, ""
	}
	at, err := time.Parse("2006-01-02T15:04:05.999999Z", w.At)
	if err != nil {
		return time.Time{}, w.Origin
	}
	return at, w.Origin
}
