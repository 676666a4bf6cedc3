package structure

import (
	"ace/shared/finding"
	"ace/shared/structure/catalog"
)

// checkCollationVersions adds a finding for each collation whose recorded version
// differs from its actual version on a node. Indexes that were built with the recorded
// version may be out of order. The finding has no SQL: the indexes must be rebuilt first,
// and ALTER COLLATION ... REFRESH VERSION alone would only hide that.
func (c *comparison) checkCollationVersions() {
	for _, id := range c.ids() {
		if id.Kind != catalog.CollationVersion {
			continue
		}

		f := finding.Finding{Kind: string(id.Kind), Object: id.String(), Rank: finding.Drifts, Nodes: map[string]string{}}
		var outdated []string
		for _, node := range c.nodes {
			o := c.objects[id][node]
			recorded, actual := o.Get(catalog.Recorded), o.Get(catalog.Actual)
			if recorded == "" || actual == "" {
				continue
			}
			f.Nodes[node] = "recorded " + recorded + ", actual " + actual
			if recorded != actual {
				outdated = append(outdated, node)
			}
		}
		if len(outdated) > 0 {
			f.Detail = "version changed on " + list(outdated) +
				": indexes on texts may be out of order and miss rows; rebuild them with REINDEX, then run ALTER COLLATION or ALTER DATABASE with REFRESH VERSION"
			c.add(f)
		}
	}
}
