package diffindex

import (
	"context"
	"strings"

	"ace/shared/archive"
)

// latestScan is the most entries that Latest reads. It reads more than one only if the
// cluster has tables of this name in several databases.
const latestScan = 100

// Latest returns the entry of a table's newest document. It returns false if none of the
// newest 100 documents of the cluster's tables with this name is of this database. Unlike
// List, it does not check that the document still exists.
func (x *Index) Latest(ctx context.Context, cluster, database, table string) (Entry, bool, error) {
	prefix := archive.DiffIndexPrefix(cluster, table)
	for after, read := "", 0; read < latestScan; read++ {
		name := ""
		err := x.store.List(ctx, prefix, prefix+after, func(info archive.Info) bool {
			name = strings.TrimPrefix(info.Key, prefix)
			return !cursorPattern.MatchString(name)
		})
		if err != nil || !cursorPattern.MatchString(name) {
			return Entry{}, false, err
		}

		entry, exists, err := x.entry(ctx, prefix+name)
		if err != nil || exists && entry.DBName == database {
			return entry, exists, err
		}
		after = name
	}
	return Entry{}, false, nil
}
