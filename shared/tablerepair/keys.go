package tablerepair

import (
	"context"
	"fmt"

	"ace/shared/archive"
	"ace/shared/part"
	"ace/shared/table"
)

// keysPerPart bounds a part of keys, and what one statement looks up.
const keysPerPart = 10_000

// keyPart says where a part of the document's keys lies. The document alone decides what is in it.
func keyPart(taskID string, doc Document, n int) (key string, header part.Header) {
	name := fmt.Sprintf("%06d", n)
	return archive.PartKey(taskID, phaseKeys, name), part.Header{TaskID: taskID, PlanHash: doc.SHA256, Unit: phaseKeys + "-" + name}
}

// readKeys reads one part of keys.
func readKeys(ctx context.Context, store archive.Store, p *Plan, n int) ([]table.Key, error) {
	key, header := keyPart(p.TaskID, p.Document, n)
	r, err := part.Open(ctx, store, key, header)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var keys []table.Key
	for {
		var k table.Key
		more, err := r.Next(&k)
		if err != nil || !more {
			return keys, err
		}
		keys = append(keys, k)
	}
}
