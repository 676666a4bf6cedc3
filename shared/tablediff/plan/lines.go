package plan

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"ace/shared/difffile"
	"ace/shared/table"
)

// The rows of compare and confirm parts are lines of tab-separated fields. There can be
// as many lines as the table has rows, so a reader does not decode fields that it only
// copies. The fields with keys and rows are JSON, in which a tab is always escaped, so a
// tab always ends a field.
const tab = '\t'

// Candidate is a row of a compare part: a key whose rows differed when they were first
// read. In a rerun it may also be a key whose rows have not been read yet.
type Candidate struct {
	Key   table.Key
	Block int
	// Digest has, per node, the digest of the row, or nil for a node without the row. An
	// empty list means that the digests were not read.
	Digest []*int64
}

// AppendLine appends block, key and, if they are known, the digest of each node ("-" for
// no row).
func (c Candidate) AppendLine(out []byte) []byte {
	out = append(strconv.AppendInt(out, int64(c.Block), 10), tab)
	out = table.AppendKey(out, c.Key)
	for _, digest := range c.Digest {
		out = append(out, tab)
		if digest == nil {
			out = append(out, '-')
			continue
		}

		out = strconv.AppendInt(out, *digest, 10)
	}
	return out
}

// ReadCandidate parses a line that Candidate.AppendLine wrote for this number of nodes.
func ReadCandidate(line []byte, nodes int) (Candidate, error) {
	fields := bytes.Split(line, []byte{tab})
	if len(fields) != 2+nodes && len(fields) != 2 {
		return Candidate{}, fmt.Errorf("a candidate has %d fields instead of %d", len(fields), 2+nodes)
	}

	var c Candidate
	if len(fields) > 2 {
		c.Digest = make([]*int64, nodes)
	}

	var err error
	if c.Block, err = strconv.Atoi(string(fields[0])); err != nil {
		return c, fmt.Errorf("block of a candidate: %w", err)
	}
	if c.Key, err = ReadKey(fields[1]); err != nil {
		return c, err
	}

	for node, field := range fields[2:] {
		if len(field) == 1 && field[0] == '-' {
			continue
		}

		digest, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return c, fmt.Errorf("digest of a candidate: %w", err)
		}

		c.Digest[node] = &digest
	}

	return c, nil
}

// Finding is a row of a confirm part: a key whose rows differ.
type Finding struct {
	Unsettled bool
	Differs   []bool             // per pair, whether the rows of its nodes differ
	Key       []byte             // the key as table.AppendKey writes it
	Rows      []difffile.Encoded // per node, the row; nil if the node has no row with the key
	// Writes has, per node, the last write of the row as AppendWrite writes it, or nil if it
	// is not known. It is empty if no node records commit times.
	Writes [][]byte
}

// AppendWrite appends a last write as a JSON list of a time and an origin.
func AppendWrite(out []byte, w table.LastWrite) []byte {
	return table.AppendKey(out, table.Key{w.At, w.Origin})
}

// ReadWrite parses what AppendWrite wrote.
func ReadWrite(raw []byte) (table.LastWrite, error) {
	texts, err := table.ReadKey(raw)
	if err == nil && len(texts) != 2 {
		err = fmt.Errorf("a last write has %d texts instead of 2", len(texts))
	}
	if err != nil {
		return table.LastWrite{}, err
	}
	return table.LastWrite{At: texts[0], Origin: texts[1]}, nil
}

// AppendLine appends "u" or "-", a "0" or "1" for each pair, the key, the row of each
// node and, if Writes is not empty, the last write of each node.
func (f Finding) AppendLine(out []byte) []byte {
	flag := byte('-')
	if f.Unsettled {
		flag = 'u'
	}

	out = append(out, flag, tab)
	for _, differs := range f.Differs {
		if differs {
			out = append(out, '1')
		} else {
			out = append(out, '0')
		}
	}

	out = append(append(out, tab), f.Key...)
	for _, row := range f.Rows {
		out = append(append(out, tab), row...)
	}
	for _, write := range f.Writes {
		out = append(append(out, tab), write...)
	}

	return out
}

// ReadFinding parses a line that Finding.AppendLine wrote for these numbers of pairs and
// nodes. The result shares memory with line.
func ReadFinding(line []byte, pairs, nodes int) (Finding, error) {
	fields := bytes.Split(line, []byte{tab})
	if len(fields) != 3+nodes && len(fields) != 3+2*nodes || len(fields[0]) != 1 || len(fields[1]) != pairs {
		return Finding{}, fmt.Errorf("a finding has %d fields, of which the second has %d characters", len(fields), len(fields[min(1, len(fields)-1)]))
	}

	f := Finding{Unsettled: fields[0][0] == 'u', Key: fields[2], Differs: make([]bool, pairs), Rows: make([]difffile.Encoded, nodes)}
	for p, flag := range fields[1] {
		f.Differs[p] = flag == '1'
	}

	for node, row := range fields[3 : 3+nodes] {
		if len(row) > 0 {
			f.Rows[node] = difffile.Encoded(row)
		}
	}
	for _, write := range fields[3+nodes:] {
		if len(write) == 0 {
			write = nil
		}
		f.Writes = append(f.Writes, write)
	}

	return f, nil
}

// ReadKey parses a key that table.AppendKey wrote. The result does not share memory with
// raw.
func ReadKey(raw []byte) (table.Key, error) {
	key, err := table.ReadKey(raw)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return slices.Clip(key), nil
}
