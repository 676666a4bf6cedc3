package tablediff

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"ace/shared/difffile"
	"ace/shared/table"
	"ace/shared/texts"
)

// The rows of compare and confirm parts are lines of fields with tabs between. There can be as many as the table has
// rows, so they are read without decoding what is only passed on. JSON has no tab outside an escape.
const tab = '\t'

// candidate is a row of a compare part: a key whose rows seem to differ.
type candidate struct {
	Key    table.Key
	Block  int
	Digest []*int64 // per node; nil: no such row. None at all: nobody has asked
}

// appendLine writes block, key, and, if they are known, the digest of each node ("-" for none).
func (c candidate) appendLine(out []byte) []byte {
	out = append(strconv.AppendInt(out, int64(c.Block), 10), tab)
	out = texts.AppendKey(out, c.Key)
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

// readCandidate reads what appendLine wrote for this many nodes.
func readCandidate(line []byte, nodes int) (candidate, error) {
	fields := bytes.Split(line, []byte{tab})
	if len(fields) != 2+nodes && len(fields) != 2 {
		return candidate{}, fmt.Errorf("a candidate has %d fields instead of %d", len(fields), 2+nodes)
	}
	var c candidate
	if len(fields) > 2 {
		c.Digest = make([]*int64, nodes)
	}
	var err error
	if c.Block, err = strconv.Atoi(string(fields[0])); err != nil {
		return c, fmt.Errorf("block of a candidate: %w", err)
	}
	if c.Key, err = readKey(fields[1]); err != nil {
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

// finding is a row of a confirm part: a key whose rows differ.
type finding struct {
	Unsettled bool
	Differs   []bool             // per pair
	Key       []byte             // as texts.AppendKey writes it
	Rows      []difffile.Encoded // per node; nil: no such row
}

// appendLine writes u or -, 0 or 1 for each pair, the key, and the row of each node.
func (f finding) appendLine(out []byte) []byte {
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
	return out
}

// readFinding reads what appendLine wrote for this many pairs and nodes. It points into the line.
func readFinding(line []byte, pairs, nodes int) (finding, error) {
	fields := bytes.Split(line, []byte{tab})
	if len(fields) != 3+nodes || len(fields[0]) != 1 || len(fields[1]) != pairs {
		return finding{}, fmt.Errorf("a finding has %d fields, of which the second has %d characters", len(fields), len(fields[min(1, len(fields)-1)]))
	}
	f := finding{Unsettled: fields[0][0] == 'u', Key: fields[2], Differs: make([]bool, pairs), Rows: make([]difffile.Encoded, nodes)}
	for p, flag := range fields[1] {
		f.Differs[p] = flag == '1'
	}
	for node, row := range fields[3:] {
		if len(row) > 0 {
			f.Rows[node] = difffile.Encoded(row)
		}
	}
	return f, nil
}

func readKey(raw []byte) (table.Key, error) {
	key, err := texts.ReadKey(raw)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return slices.Clip(key), nil
}
