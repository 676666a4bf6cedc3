package replication

import (
	"iter"
	"slices"
	"strings"

	"ace/shared/api"
)

// unifyNames changes the name of each table in the states of the nodes to the same text
// on all nodes. Otherwise it could be public.json on one node and public."json" on
// another, because servers quote keywords and each version has other keywords. The text
// with quotes is the one that all versions accept.
func unifyNames(nodes []Node) {
	texts := map[api.TableName]string{}
	for text, name := range tableNames(nodes) {
		if len(*text) > len(texts[name]) {
			texts[name] = *text
		}
	}
	for text, name := range tableNames(nodes) {
		*text = texts[name]
	}

	for _, n := range nodes {
		for _, p := range n.Publications { // Publication.table requires the order of the texts
			slices.SortFunc(p.Tables, func(a, b PublishedTable) int { return strings.Compare(a.Table, b.Table) })
		}
	}
}

// tableNames returns the tables of all publications and subscriptions, with the text
// that names each. It omits a text that names no table, such as "all tables".
func tableNames(nodes []Node) iter.Seq2[*string, api.TableName] {
	return func(yield func(*string, api.TableName) bool) {
		for _, n := range nodes {
			var texts []*string
			for _, p := range n.Publications {
				for i := range p.Tables {
					texts = append(texts, &p.Tables[i].Table)
				}
			}
			for _, s := range n.Subscriptions {
				for i := range s.Tables {
					texts = append(texts, &s.Tables[i].Table)
				}
			}
			for _, text := range texts {
				if name, err := api.ParseTableName(*text); err == nil && !yield(text, name) {
					return
				}
			}
		}
	}
}
