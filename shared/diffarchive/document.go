// Package diffarchive reads diff documents that are stored in the archive, and stores
// what is derived from them: renderings for people, and the sorted lists of keys (runs)
// that package diffkeys stores while it sorts.
//
// A rerun or a repair reads its document once, as a stream. Verify proves that the
// document is the one that was recorded. Each rendering (csv, html) is made once and
// stored next to its document. The package never writes a document.
//
// Related packages: difffile owns the format of a document, diffindex lists all
// documents, and diffkeys sorts the distinct keys of one document.
package diffarchive

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"slices"

	"ace/shared/archive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/task"
)

// readSize is the size of the pieces in which a document is read and digested.
const readSize = 128 << 10

// Document is an open diff document. It must be closed. The content that its Reader
// returns is not verified until Verify has succeeded.
type Document struct {
	*difffile.Reader
	recorded task.Document
	object   archive.Object
	cancel   context.CancelFunc // ends a pending read
	digest   hash.Hash
	body     io.Reader // passes each byte to the digest
}

// Open opens a document and reads its summary; see difffile.Open. It returns NotFound if
// the document no longer exists, and Invalid if it is not a diff document or does not
// have the recorded size.
func Open(ctx context.Context, store archive.Store, recorded task.Document) (*Document, error) {
	ctx, cancel := context.WithCancel(ctx)
	object, err := store.Get(ctx, recorded.Key)
	if err != nil {
		cancel()
		return nil, missing(err, recorded)
	}

	d := &Document{recorded: recorded, object: object, cancel: cancel, digest: sha256.New()}
	d.body = bufio.NewReaderSize(io.TeeReader(object.Body, d.digest), readSize)
	if object.Size != recorded.Size {
		d.Close()
		return nil, fault.New(fault.Invalid, "the diff document %s has %d bytes instead of the recorded %d: it was changed",
			recorded.Key, object.Size, recorded.Size)
	}

	if d.Reader, err = difffile.Open(d.body); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Head returns the summary and the nodes of the document. In a document of another tool,
// the summary may follow the rows, and nodes may be named only in the rows. So Head reads
// such a document to its end, and no row can be read afterwards.
func (d *Document) Head() (difffile.Summary, []string, error) {
	if !d.Peer() {
		return d.Summary(), d.Summary().Nodes, nil
	}

	seen := map[string]bool{}
	err := d.Walk(func(e difffile.Entry) error {
		seen[e.Pair[0]], seen[e.Pair[1]] = true, true
		return nil
	}, nil)

	nodes := slices.Clone(d.Summary().Nodes)
	for node := range seen {
		if !slices.Contains(nodes, node) {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return d.Summary(), nodes, err
}

// Verify reads the rest of the document and compares its SHA-256 with the recorded one.
// It returns Invalid if they differ. In that case the caller must not use anything that
// it has read from the document.
func (d *Document) Verify() error {
	if _, err := io.Copy(io.Discard, d.body); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the diff document %s cannot be read", d.recorded.Key)
	}

	if got := hex.EncodeToString(d.digest.Sum(nil)); got != d.recorded.SHA256 {
		return changed(d.recorded, got)
	}
	return nil
}

// Close ends a pending read and closes the object of the archive.
func (d *Document) Close() {
	d.cancel()
	_ = d.object.Body.Close()
}
