package diffindex

import (
	"context"
	"maps"
	"slices"
	"strings"

	"ace/shared/archive"
	"ace/shared/fanout"
)

const (
	// listedTogether is the minimum number of documents of one day whose existence is
	// checked by one listing. Fewer documents are checked by a request each.
	listedTogether = 32
	// listedPer is the maximum number of keys that such a listing reads for each document to
	// check. It is limited because a filter may select few of the many documents of a day.
	listedPer = 16
)

// documents returns which of these keys of documents exist.
func (x *Index) documents(ctx context.Context, keys []string) (map[string]bool, error) {
	days := map[string][]string{}
	for _, key := range keys {
		day := key[:strings.LastIndexByte(key, '/')+1]
		days[day] = append(days[day], key)
	}

	var few []string
	var many [][]string // the sorted keys of each day
	for _, ofDay := range days {
		slices.Sort(ofDay)
		if ofDay = slices.Compact(ofDay); len(ofDay) < listedTogether {
			few = append(few, ofDay...)
			continue
		}
		many = append(many, ofDay)
	}

	existing := map[string]bool{}
	found, err := fanout.Map(ctx, atOnce, many, x.listDocuments)
	if err != nil {
		return nil, err
	}
	for _, of := range found {
		maps.Copy(existing, of.existing)
		few = append(few, of.unread...)
	}

	stats, err := fanout.Map(ctx, atOnce, few, func(ctx context.Context, key string) (bool, error) {
		_, err := x.store.Stat(ctx, key)
		return err == nil, ignoreNotFound(err)
	})
	for i, exists := range stats {
		existing[few[i]] = exists
	}
	return existing, err
}

// foundDocuments is the result of a listing of documents.
type foundDocuments struct {
	existing map[string]bool
	unread   []string // the keys that the listing did not reach
}

// listDocuments finds by one listing which of the keys exist. The keys are sorted and
// have the same prefix up to the last slash.
func (x *Index) listDocuments(ctx context.Context, keys []string) (foundDocuments, error) {
	first, last := keys[0], keys[len(keys)-1]
	prefix := first[:strings.LastIndexByte(first, '/')+1]
	after := first[:len(first)-1] // sorts before the first key, which the listing must contain

	found := foundDocuments{existing: map[string]bool{}}
	reached, read := "", 0
	ended := true
	err := x.store.List(ctx, prefix, after, func(info archive.Info) bool {
		if info.Key > last {
			return false
		}
		found.existing[info.Key] = true
		reached, read = info.Key, read+1
		ended = read < listedPer*len(keys) || info.Key == last
		return ended && info.Key != last
	})
	if ended {
		return found, err
	}
	for _, key := range keys {
		if key > reached {
			found.unread = append(found.unread, key)
		}
	}
	return found, err
}
