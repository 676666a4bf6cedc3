package difffile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// The last members of a document describe its keys: they list the keys whose rows were
// unsettled, and the keys that have variants. Each member is an object with one list per
// pair. An empty member is omitted.
const (
	memberUnsettled   = "unsettled"
	memberKeyVariants = "key_variants"
	// memberRespelt is the former name of key_variants. Readers accept it, but it is no
	// longer written.
	memberRespelt = "respelt"
)

// bookkeeping writes the members "unsettled" and "key_variants".
func (d *documentWriter) bookkeeping(ctx context.Context, src Source) error {
	if d.summary.UnsettledRows > 0 {
		err := writeMember(ctx, d, memberUnsettled, d.summary.Pairs, src.Unsettled, d.appendKey)
		if err != nil {
			return err
		}
	}
	var withVariants Pairs
	for _, p := range d.summary.Pairs {
		if p.hasKeyVariants(d.summary.PrimaryKey) {
			withVariants = append(withVariants, p)
		}
	}
	return writeMember(ctx, d, memberKeyVariants, withVariants, src.KeyVariants, d.appendKeyVariants)
}

// writeMember writes a member whose name is name. Its value is an object with one array
// for each pair. list returns the elements of a pair's array, and encode appends the JSON
// of an element. Each element is on a line of its own. A pair without elements is
// omitted, and so is the member if no pair has elements.
func writeMember[T any](
	ctx context.Context, d *documentWriter, name string, pairs Pairs,
	list func(context.Context, Pair) iter.Seq2[T, error], encode func([]byte, T) ([]byte, error),
) error {
	before, after := fmt.Sprintf(",\n%q:{", name), ""
	var line []byte
	for _, p := range pairs {
		n := 0
		for element, err := range list(ctx, p.Nodes) {
			if n == 0 {
				d.label(before, p.Nodes.String())
				d.print("[")
				before, after = ",", "\n}"
			}
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				line, err = encode(line[:0], element)
			}
			if err == nil {
				err = d.row(line, n == 0)
			}
			if err != nil {
				return fmt.Errorf("difffile: pair %s, %s key %d: %w", p.Nodes, name, n+1, err)
			}
			n++
		}
		if n > 0 {
			d.print("]")
		}
	}
	d.print(after)
	return nil
}

func (d *documentWriter) appendKeyVariants(line []byte, keys [2]Row) ([]byte, error) {
	line, err := d.appendKey(append(line, '['), keys[0])
	if err == nil {
		line, err = d.appendKey(append(line, ','), keys[1])
	}
	return append(line, ']'), err
}

func (d *documentWriter) appendKey(line []byte, key Row) ([]byte, error) {
	if len(key) != len(d.summary.PrimaryKey) {
		return nil, fmt.Errorf("it has %d values for a key of %d columns", len(key), len(d.summary.PrimaryKey))
	}
	line = append(line, '[')
	for i, value := range key {
		if i > 0 {
			line = append(line, ',')
		}
		if value == nil {
			return nil, fmt.Errorf("key column %q is NULL", d.summary.PrimaryKey[i])
		}
		var err error
		if line, err = appendString(line, *value); err != nil {
			return nil, fmt.Errorf("key column %q: %w", d.summary.PrimaryKey[i], err)
		}
	}
	return append(line, ']'), nil
}

// bookkeeping reads the members "unsettled", "key_variants" and "written", if present, in
// this order.
func (r *Reader) bookkeeping(v Visitor) error {
	members := []struct {
		names []string
		read  func(at place, raw []byte) error
	}{
		{[]string{memberUnsettled}, func(at place, raw []byte) error {
			key, err := r.key(raw)
			if err != nil {
				return at.invalid(err)
			}
			return v.Unsettled(at.pair, key)
		}},
		{[]string{memberKeyVariants, memberRespelt}, func(at place, raw []byte) error {
			keys, err := r.keyVariants(raw)
			if err != nil {
				return at.invalid(err)
			}
			return v.KeyVariants(at.pair, keys)
		}},
	}

	for r.tokens.more() {
		name, err := r.tokens.name(place{})
		if err != nil {
			return err
		}
		if name == memberWritten { // the last member
			return r.written(v.Written)
		}
		for len(members) > 0 && !slices.Contains(members[0].names, name) {
			members = members[1:]
		}
		if len(members) == 0 {
			return unknownMember(name)
		}

		read := members[0].read
		members = members[1:]
		err = r.pairs(place{member: name}, func(at place) error {
			return r.tokens.array(&at, func() error {
				raw, err := r.tokens.raw(at, 4*MaxKey)
				if err != nil {
					return err
				}
				return read(at, raw)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// key decodes a key: an array of strings, one per key column.
func (r *Reader) key(raw []byte) (Row, error) {
	var key Row
	err := eachElement(raw, func(value []byte) error {
		s, err := parseValue(text, value)
		if len(value) > MaxKey {
			err = &lengthError{int64(len(value)), true, MaxKey}
		}
		if err == nil && s == nil {
			err = errors.New("a key column is null")
		}
		key = append(key, s)
		return err
	})
	if err == nil && len(key) != len(r.summary.PrimaryKey) {
		err = errors.New("it must have one value per column of the primary key")
	}
	return key, err
}

var errNotTwoKeys = errors.New("it must have two keys, one per node of the pair")

// keyVariants decodes the two keys of a row, one per node of the pair.
func (r *Reader) keyVariants(raw []byte) ([2]Row, error) {
	var keys []Row
	err := eachElement(raw, func(value []byte) error {
		key, err := r.key(value)
		keys = append(keys, key)
		return err
	})
	if err == nil && len(keys) != 2 {
		err = errNotTwoKeys
	}
	if err != nil {
		return [2]Row{}, err
	}
	return [2]Row(keys), nil
}
