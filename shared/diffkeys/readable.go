package diffkeys

import (
	"ace/shared/fault"
	"ace/shared/table"
)

// CheckReadable returns an error if there is a key that no node can convert to values of
// the types of its key columns (for instance, abc if the key is an integer). Without this
// check, such a key would be reported as unchanged or resolved, because no node has a row
// with it. CheckReadable calls unreadable for one node after the other, with the keys
// that no earlier node can read. unreadable returns a map from the indexes of the keys
// that the node cannot read to the reasons.
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
