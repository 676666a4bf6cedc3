package tablerepair

import (
	"context"
	"fmt"

	"ace/shared/archive"
	"ace/shared/part"
	"ace/shared/table"
)

// keysPerPart bounds the number of keys in a part, which is also the number of keys that
// one statement looks up.
const keysPerPart = 10_000

// keyPart returns the object key and the header of a part of keys.
func (p *Plan) keyPart(of Keys, n int) (key string, header part.Header) {
	name := fmt.Sprintf("%s-%06d", of.Name, n)
	return archive.PartKey(p.TaskID, phaseKeys, name), part.Header{TaskID: p.TaskID, PlanHash: p.Document.SHA256, Unit: phaseKeys + "-" + name}
}

// readKeys reads one part of keys.
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
