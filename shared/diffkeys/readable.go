package diffkeys

import (
	"ace/shared/fault"
	"ace/shared/table"
)

// CheckReadable fails if there is a key that no node can read as values of the key's
// types (for instance, abc if the key is an integer). Without this check such a key would
// count as unchanged or resolved, since no node has a row for it. CheckReadable calls
// unreadable for one node after the other, with the keys that no earlier node can read.
// unreadable returns why the node cannot read some of the keys that it is called with, by
// their index. A key without an entry is readable.
func CheckReadable(
	keys []table.Key, nodes int, unreadable func(node int, keys []table.Key) (map[int]error, error),
) error {
	for node := range nodes {
		reasons, err := unreadable(node, keys)
		if err != nil || len(reasons) == 0 {
			return err
		}

		last := node+1 == nodes
		var unread []table.Key
		for i, key := range keys {
			if reason := reasons[i]; reason != nil && last {
				return fault.Wrap(reason, fault.Invalid,
					"the document has the key %s, which no node can read: %s", key, fault.PublicMessage(reason))
			} else if reason != nil {
				unread = append(unread, key)
			}
		}
		keys = unread
	}
	return nil
}
