package diffkeys

import (
	"context"
	"encoding/json"

	"ace/shared/fault"
	"ace/shared/table"
)

// runWriter writes keys to one run. Each line is a key as a JSON array of texts.
type runWriter struct {
	RunWriter
	number int
	last   table.Key // the key that was written last
	sealed bool
}

func (k *Keys) create(ctx context.Context) (*runWriter, error) {
	w, err := k.o.Spool.Create(ctx, k.next)
	if err != nil {
		return nil, err
	}
	k.next++
	return &runWriter{RunWriter: w, number: k.next - 1}, nil
}

func (w *runWriter) write(keys []table.Key) error {
	for _, key := range keys {
		line, err := json.Marshal(key)
		if err != nil {
			return fault.Wrap(err, fault.Internal, "cannot encode a key")
		}
		if err := w.Line(line); err != nil {
			return err
		}

		w.last = key
	}
	return nil
}

func (w *runWriter) seal(ctx context.Context) error {
	w.sealed = true // even if Seal fails, because Seal then discards the run
	return w.Seal(ctx)
}

func (w *runWriter) abort() {
	if !w.sealed {
		w.Abort()
	}
}

// runHead reads one run. keys is the buffer with the keys of the run that were read and
// not yet merged, in key order.
type runHead struct {
	RunReader
	keys []table.Key
	more bool // the run may have more keys that were not read yet
}

func (k *Keys) open(ctx context.Context, run int) (*runHead, error) {
	r, err := k.o.Spool.Open(ctx, run)
	return &runHead{RunReader: r, more: true}, err
}

// fill reads keys into the buffer until a limit is reached or the run ends. If the run
// has further keys, the buffer has at least one key afterwards, even if that key alone
// exceeds the limit of bytes.
func (h *runHead) fill(limit limits) error {
	bytes := 0
	for _, key := range h.keys {
		bytes += size(key)
	}

	for h.more && len(h.keys) < limit.headKeys && (bytes < limit.headBytes || len(h.keys) == 0) {
		line, err := h.NextLine()
		if err != nil {
			return err
		}

		if line == nil {
			h.more = false
			return nil
		}

		var key table.Key
		if err := json.Unmarshal(line, &key); err != nil {
			return fault.Wrap(err, fault.Internal, "cannot decode a run of keys")
		}

		h.keys = append(h.keys, key)
		bytes += size(key)
	}

	return nil
}

func size(key table.Key) int {
	n := 0
	for _, text := range key {
		n += len(text)
	}
	return n
}
