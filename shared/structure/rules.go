package structure

import (
	"ace/shared/finding"
	"ace/shared/structure/catalog"
)

// rule is the consequence of a difference for replication and repairs: the rank of the
// finding, and the reason for the rank.
type rule struct {
	rank   finding.Rank
	reason string
}

// kindRule has the rules for one kind of object.
type kindRule struct {
	missing    rule                      // the rule that applies if a node lacks the object
	properties map[catalog.Property]rule // the rule that applies if the property differs; a property that is neither here nor in commonRules is not compared
}

func blocks(reason string) rule  { return rule{finding.Blocks, reason} }
func drifts(reason string) rule  { return rule{finding.Drifts, reason} }
func differs(reason string) rule { return rule{finding.Differs, reason} }

const (
	onlyQueries = "queries may be slower or fail on one node; rows are not affected"
	onlyStored  = "how rows are stored; their values are not affected"
	onlyClients = "who may use the object; rows are not affected"
	onlyText    = "a text for people"
	refusesRows = "a node refuses rows that another accepts, so replication or a repair fails"
	writesOther = "the nodes may write different rows for the same statement"
)

// commonRules returns the rules of the properties that objects of many kinds have.
func commonRules() properties {
	return properties{
		catalog.Owner: differs(onlyClients), catalog.Grants: differs(onlyClients), catalog.Comment: differs(onlyText),
	}
}

type properties = map[catalog.Property]rule

// kindRules returns the rules of every kind.
func kindRules() map[catalog.Kind]kindRule {
	rules := map[catalog.Kind]kindRule{}
	for _, list := range []map[catalog.Kind]kindRule{databaseRules(), typeRules(), tableRules(), constraintRules(), codeRules()} {
		for kind, rule := range list {
			rules[kind] = rule
		}
	}
	return rules
}

func databaseRules() map[catalog.Kind]kindRule {
	return map[catalog.Kind]kindRule{
		catalog.Database: {properties: properties{
			catalog.Encoding:      blocks("a character of one encoding may not exist in the other"),
			catalog.CollationName: drifts("texts are ordered and classified differently by default"),
			catalog.Provider:      drifts("texts are ordered and classified differently by default"),
			catalog.Locale:        drifts("texts are ordered and classified differently by default"),
		}},
		catalog.Schema: {missing: blocks("the tables of the schema cannot exist there")},
		catalog.Extension: {
			missing: differs("objects of the extension are missing, but no column has a type of it"),
			properties: properties{
				catalog.Version:  drifts("functions and operators of the extension may return other results"),
				catalog.InSchema: differs("statements that name objects of the extension with a schema fail on one node"),
			},
		},
		catalog.CollationVersion: {properties: properties{
			catalog.Actual: drifts("texts may be ordered differently, and an index that is moved between the nodes is out of order"),
		}},
		catalog.Collation: {
			missing: blocks("columns with the collation cannot exist there"),
			properties: properties{
				catalog.Provider:      drifts("texts are ordered differently"),
				catalog.Locale:        drifts("texts are ordered differently"),
				catalog.Options:       drifts("texts are ordered differently"),
				catalog.Deterministic: drifts("texts that are equal on one node are not on another"),
			},
		},
		catalog.Publication: {
			missing:    differs("usual for replication in one direction"),
			properties: properties{catalog.AllTables: differs("changes of other tables are published")},
		},
		catalog.PublicationTable: {
			missing: differs("changes of the table are published by some nodes only; usual for replication in one direction"),
			properties: properties{
				catalog.Filter:  drifts("the nodes publish different rows"),
				catalog.Columns: drifts("the nodes publish different columns"),
			},
		},
		catalog.EventTrigger: {
			missing: drifts("statements that change the structure have other effects"),
			properties: properties{
				catalog.Definition: drifts("statements that change the structure have other effects"),
				catalog.Enabled:    drifts("statements that change the structure have other effects"),
			},
		},
	}
}

func typeRules() map[catalog.Kind]kindRule {
	missing := blocks("columns of the type cannot exist there")
	return map[catalog.Kind]kindRule{
		catalog.Enum:      {missing: missing, properties: properties{catalog.Labels: blocks("a node refuses a label that it does not have")}},
		catalog.Composite: {missing: missing, properties: properties{catalog.Members: blocks(refusesRows)}},
		catalog.Range: {missing: missing, properties: properties{
			catalog.Type: blocks(refusesRows), catalog.CollationName: drifts("bounds are ordered differently"), catalog.Definition: drifts("bounds are ordered differently"),
		}},
		catalog.Domain: {missing: missing, properties: properties{
			catalog.Type: blocks(refusesRows), catalog.NotNull: blocks(refusesRows), catalog.Default: drifts(writesOther),
			catalog.CollationName: drifts("values are ordered or compared differently"),
		}},
		catalog.DomainConstraint: {missing: blocks(refusesRows), properties: properties{
			catalog.Definition: blocks(refusesRows), catalog.Validated: drifts("rows that were written earlier may violate it"),
		}},
	}
}

func tableRules() map[catalog.Kind]kindRule {
	return map[catalog.Kind]kindRule{
		catalog.Table: {missing: blocks("changes of the table cannot be applied there"), properties: properties{
			catalog.Persistence:     blocks("an unlogged table is not replicated and is emptied by a crash"),
			catalog.PartitionKey:    blocks("rows go to other partitions, or there is none for them"),
			catalog.Parents:         blocks("the rows belong to another table"),
			catalog.Bounds:          blocks("a partition refuses rows that belong to it on another node"),
			catalog.DetachPending:   blocks("the partitioned table does not show the rows of the partition"),
			catalog.RowSecurity:     blocks("a subscription whose owner is subject to row security fails"),
			catalog.ReplicaIdentity: blocks("UPDATE or DELETE fails or is not applied if the identity does not suffice"),
			catalog.OfType:          differs("later changes of the type change the table of one node only"),
			catalog.AccessMethod:    differs(onlyStored),
			catalog.Tablespace:      differs(onlyStored),
			catalog.Options:         differs(onlyStored),
		}},
		catalog.ForeignTable: {missing: differs(onlyQueries), properties: properties{
			catalog.Server: differs(onlyQueries), catalog.Options: differs(onlyQueries), catalog.Parents: blocks("the rows belong to another table"),
			catalog.Bounds: blocks("a partition refuses rows that belong to it on another node"),
		}},
		catalog.Column: {missing: blocks("changes of the column cannot be applied there"), properties: properties{
			catalog.Type:          blocks("a narrower or another type refuses values"),
			catalog.NotNull:       blocks(refusesRows),
			catalog.Default:       drifts(writesOther),
			catalog.Identity:      drifts(writesOther),
			catalog.Generated:     drifts("the nodes compute different values from the same row"),
			catalog.CollationName: drifts("values are ordered or compared differently"),
			catalog.Storage:       differs(onlyStored),
			catalog.Compression:   differs(onlyStored),
			catalog.Target:        differs(onlyQueries),
			catalog.Options:       differs(onlyQueries),
		}},
		catalog.Sequence: {missing: drifts("a default that uses the sequence fails there"), properties: properties{
			catalog.Type:        drifts("one of them is exhausted earlier"),
			catalog.Minimum:     drifts("one of them is exhausted earlier"),
			catalog.Maximum:     drifts("one of them is exhausted earlier"),
			catalog.Cycle:       drifts("one of them returns the same values again"),
			catalog.Start:       differs("usual if the nodes interleave their values"),
			catalog.Increment:   differs("usual if the nodes interleave their values"),
			catalog.Cache:       differs("gaps between values have other sizes"),
			catalog.OwnedBy:     differs("the sequence is dropped with another column"),
			catalog.Persistence: drifts("an unlogged sequence is reset by a crash"),
		}},
	}
}

func constraintRules() map[catalog.Kind]kindRule {
	key := properties{
		catalog.Definition: blocks("the nodes identify rows by other columns, or refuse rows that another accepts"),
		catalog.Deferrable: blocks("a deferrable key cannot identify rows for replication"),
		catalog.Valid:      blocks("a partition lacks the key and accepts rows that another node refuses"),
		catalog.Clustered:  differs(onlyStored),
	}
	primary := properties{catalog.ObjectName: differs("the same definition under another name")}
	for property, rule := range key {
		primary[property] = rule
	}
	checked := properties{
		catalog.Definition: blocks(refusesRows), catalog.Deferrable: blocks("the node that checks at once refuses rows that another accepts"),
		catalog.Enforced: blocks(refusesRows), catalog.Validated: drifts("rows that were written earlier may violate it"),
	}
	const orphans = "applied changes are not checked, so rows without a referenced row, or effects of ON DELETE, arise on one node only"
	return map[catalog.Kind]kindRule{
		catalog.PrimaryKey: {missing: blocks("rows cannot be identified, and a node refuses rows that another accepts"), properties: primary},
		catalog.UniqueKey:  {missing: blocks(refusesRows), properties: key},
		catalog.Check:      {missing: blocks(refusesRows), properties: checked},
		catalog.Exclusion:  {missing: blocks(refusesRows), properties: checked},
		catalog.ForeignKey: {missing: drifts(orphans), properties: properties{
			catalog.Definition: drifts(orphans), catalog.Enforced: drifts(orphans), catalog.Validated: drifts("rows that were written earlier may violate it"),
			catalog.Deferrable: drifts("the same transaction may fail on one node only"), catalog.Enabled: drifts(orphans),
		}},
		catalog.Index: {missing: differs(onlyQueries), properties: properties{
			catalog.Unique: blocks(refusesRows), catalog.Definition: differs(onlyQueries), catalog.Valid: differs("the invalid index is not used"),
			catalog.Clustered: differs(onlyStored), catalog.Tablespace: differs(onlyStored),
		}},
		catalog.Statistics: {missing: differs(onlyQueries), properties: properties{catalog.Definition: differs(onlyQueries)}},
	}
}

func codeRules() map[catalog.Kind]kindRule {
	code := func(what rule) properties { return properties{catalog.Definition: what} }
	fires := properties{catalog.Definition: drifts(writesOther), catalog.Enabled: drifts(writesOther)}
	const shown = "clients see and write other rows"
	return map[catalog.Kind]kindRule{
		catalog.Trigger: {missing: drifts(writesOther), properties: fires},
		catalog.Rule:    {missing: drifts(writesOther), properties: fires},
		catalog.Policy: {missing: drifts(shown), properties: properties{
			catalog.Command: drifts(shown), catalog.Permissive: drifts(shown), catalog.Roles: drifts(shown), catalog.Using: drifts(shown), catalog.WithCheck: drifts(shown),
		}},
		catalog.Function:  {missing: differs("statements that call it fail"), properties: code(differs("statements that call it return other results"))},
		catalog.Aggregate: {missing: differs("statements that call it fail"), properties: code(differs("statements that call it return other results"))},
		catalog.View: {missing: differs("queries of it fail"), properties: properties{
			catalog.Definition: differs("queries of it return other rows"), catalog.Options: differs("queries of it return other rows or are slower"),
		}},
		catalog.MaterializedView: {missing: differs("queries of it fail"), properties: properties{
			catalog.Definition: differs("queries of it return other rows"), catalog.Options: differs(onlyStored),
			catalog.AccessMethod: differs(onlyStored), catalog.Tablespace: differs(onlyStored), catalog.Populated: differs("queries of it fail until it is refreshed"),
		}},
	}
}
