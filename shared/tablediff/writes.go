package tablediff

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"ace/shared/difffile"
	"ace/shared/part"
	"ace/shared/tablediff/plan"
)

// keptWrites is the maximum number of bytes of last writes that are kept in memory while
// a document is written, about a million rows.
const keptWrites = 8 << 20

// sectionWrites holds the last writes of the rows of one node of one pair. The document
// lists them after all rows. They are kept until then, because reading the parts a second
// time would take as long as the first time.
type sectionWrites struct {
	rows part.Memory
	line []byte
}

// keep adds the last write of the row that the node with this index has in a finding.
func (w *sectionWrites) keep(found plan.Finding, node int) error {
	w.line = append(append(w.line[:0], found.Key...), '\t') // JSON has no unescaped tab
	if node < len(found.Writes) {
		w.line = append(w.line, found.Writes[node]...)
	}
	return w.rows.Line(w.line)
}

// all returns the last writes that were kept.
func (w *sectionWrites) all() iter.Seq2[difffile.LastWrite, error] {
	return func(yield func(difffile.LastWrite, error) bool) {
		reader := w.rows.Read()
		for {
			line, err := reader.NextLine()
			if line == nil && err == nil {
				return
			}
			var write difffile.LastWrite
			if err == nil {
				write, err = readKept(line)
			}
			if !yield(write, err) || err != nil {
				return
			}
		}
	}
}

// readKept parses a line of sectionWrites.
func readKept(line []byte) (w difffile.LastWrite, err error) {
	key, raw, _ := bytes.Cut(line, []byte{'\t'})
	if w.Key, err = readKey(key); err == nil {
		err = readWrite(&w, raw)
	}
	return w, err
}

// readKey parses a key that table.AppendKey wrote.
func readKey(raw []byte) (difffile.Row, error) {
	texts, err := plan.ReadKey(raw)
	key := make(difffile.Row, len(texts))
	for i := range texts {
		key[i] = &texts[i]
	}
	return key, err
}

// readWrite reads the time and the origin of a last write from raw, as plan.AppendWrite
// wrote it. raw is empty if the time is not known.
func readWrite(w *difffile.LastWrite, raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	write, err := plan.ReadWrite(raw)
	w.At, w.Origin = write.At, write.Origin
	return err
}

// section names the rows of one node of one pair.
type section struct {
	pair difffile.Pair
	node string
}

// keepsWrites reports whether the last writes of a node's rows are kept while the rows
// are read. They are not kept if the nodes may spell keys differently, since only the row
// has the spelling of its node.
func (f *findings) keepsWrites(node int) bool {
	return f.run.plan.ReadsWrites(node) && !f.run.plan.HasKeyVariants() && f.writesSize < keptWrites
}

// keepWrite adds the last write of a finding's row to kept. It returns kept, or nil if
// the writes take too much memory to be kept. It does nothing if kept is nil.
func (f *findings) keepWrite(kept *sectionWrites, found plan.Finding, node int) (*sectionWrites, error) {
	if kept == nil || f.writesSize+kept.rows.Size() > keptWrites {
		return nil, nil
	}
	return kept, kept.keep(found, node)
}

// sealWrites makes the last writes of a section available to Written, once all rows of
// the section were read. It does nothing if kept is nil.
func (f *findings) sealWrites(of section, kept *sectionWrites) error {
	if kept == nil {
		return nil
	}
	if err := kept.rows.Seal(); err != nil {
		return err
	}
	f.writesSize += kept.rows.Size()
	f.writes[of] = kept
	return nil
}

// Written returns the last write of each row of one node of a pair. If they were not kept
// when the rows were read, it reads the parts once more.
func (f *findings) Written(ctx context.Context, pair difffile.Pair, node string) iter.Seq2[difffile.LastWrite, error] {
	of := section{pair, node}
	if kept := f.writes[of]; kept != nil {
		return kept.all()
	}
	at := slices.Index(f.run.plan.Nodes, node)
	return func(yield func(difffile.LastWrite, error) bool) {
		for found, err := range f.pairFindings(ctx, pair) {
			if err == nil && found.Rows[at] == nil {
				continue
			}

			var write difffile.LastWrite
			if err == nil {
				write, err = f.lastWrite(found, at)
			}
			if !yield(write, err) || err != nil {
				return
			}
		}
	}
}
