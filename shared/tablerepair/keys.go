package tablerepair

import (
	"context"
	"fmt"

	"ace/shared/archive"
	"ace/shared/part"
	"ace/shared/table"
)

// keysPerPart bounds the number of keys in a part. One statement reads the source's rows,
// or locks the target's rows, for all keys of a part.
const keysPerPart = 10_000

// keyPart returns the object key and the header of the n-th part of keys.
func (p *Plan) keyPart(of Keys, n int) (key string, header part.Header) {
	name := fmt.Sprintf("%s-%06d", of.Name, n)
	return archive.PartKey(p.TaskID, phaseKeys, name), part.Header{TaskID: p.TaskID, PlanHash: p.Document.SHA256, Unit: phaseKeys + "-" + name}
}

// readKeys reads the n-th part of keys.
func readKeys(ctx context.Context, store archive.Store, p *Plan, of Keys, n int) ([]table.Key, error) {
	key, header := p.keyPart(of, n)
	r, err := part.Open(ctx, store, key, header)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var keys []table.Key
	for {
		line, err := r.NextLine()
		if err != nil || line == nil {
			return keys, err
		}
		key, err := table.ReadKey(line)
		if err != nil {
			return nil, r.Damaged(err)
		}
		keys = append(keys, key)
	}
}
