package tablerepair

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
	"ace/shared/tableschema"
)

// targetBuilder builds the target of one node from the descriptions of the source and of
// that node.
type targetBuilder struct {
	plan    *Plan
	source  *table.Description
	node    *table.Description
	writing *table.Writing
	ignored []string // columns that the document ignores
	common  *tableschema.Common
	// places are the indexes of source and node in the list from which common was made.
	places [2]int
	target Target
}

// build returns the target and warnings about it. It fails if the node's table cannot be
// repaired.
func (t *targetBuilder) build() (Target, []string, error) {
	t.target.Node = t.node.Node
	t.target.Server = t.node.Server
	t.target.UpdateRefused = t.writing.UpdateRefused
	t.target.DeleteRefused = t.writing.DeleteRefused
	t.target.Unmarked = t.writing.Unmarked
	for _, step := range []func() error{t.checkWritable, t.match, t.checkIndexes, t.checkPrivileges, t.checkTable} {
		if err := step(); err != nil {
			return Target{}, nil, err
		}
	}
	t.makeFragments()
	t.collectColumns()
	t.addDigests()
	return t.target, slices.Concat(t.common.Warnings, tableschema.SuperuserWarnings(t.node, true), t.collectTriggers()), nil
}

// match determines the columns and the key that both nodes have. An ignored column may
// exist on one node only.
func (t *targetBuilder) match() (err error) {
	if t.common != nil { // a repair by rule matches all nodes at once
		return nil
	}
	t.places = [2]int{0, 1}
	var onesided []string
	for _, name := range t.ignored {
		_, source := t.source.Column(name)
		_, target := t.node.Column(name)
		if source != target {
			onesided = append(onesided, name)
		}
	}
	t.common, err = tableschema.Tables([]*table.Description{t.source, t.node}, onesided, t.plan.Key)
	return err
}

func (t *targetBuilder) refuse(format string, args ...any) error {
	return fault.New(fault.Invalid, "node %q: %s", t.node.Node, fmt.Sprintf(format, args...))
}

// checkTable fails if the table must not be written directly, because it belongs to an
// extension, or if a rule would replace the repair's statements or add statements to
// them. Unless fire_triggers is set, it also fails if the repair cannot check a
// deferrable constraint itself. It collects the other deferrable constraints, which the
// repair checks (checkDeferrable).
func (t *targetBuilder) checkTable() error {
	if t.writing.Extension != "" {
		return t.refuse("the table belongs to extension %q, which alone may write to it: update the extension, or call its functions", t.writing.Extension)
	}
	if len(t.writing.Rules) > 0 {
		return t.refuse("rule %q of the table would replace the repair's statements, or add statements to them", t.writing.Rules[0])
	}
	if t.plan.FireTriggers {
		return nil
	}
	for _, d := range t.writing.Deferrable {
		if d.Unchecked {
			return t.refuse("constraint %q is DEFERRABLE, so PostgreSQL checks it by a trigger, which does not fire in a repair: repair with fire_triggers=true", d.Name)
		}
		t.target.Deferrable = append(t.target.Deferrable, d)
	}
	return nil
}

func (t *targetBuilder) makeFragments() {
	source := func(d *table.Description, at int) table.Source {
		s := t.common.Source(d, at, t.reading(rowdigest.Seeds{}))
		s.Digest, s.Partitions = "0", nil // rows are compared by their text
		return s
	}
	t.target.Read = source(t.source, t.places[0])
	t.target.Write = table.Target{
		Source: source(t.node, t.places[1]), Into: table.Quote(t.plan.Schema) + "." + table.Quote(t.plan.Table),
	}
	t.target.Write.Path = t.common.WritingPath(t.plan.Schema, t.node, t.places[1])
	if source, target := t.source, t.node; source.Encoding != target.Encoding {
		t.target.Encodings = fmt.Sprintf("node %q has the encoding %s, node %q %s", source.Node, source.Encoding, target.Node, target.Encoding)
	}
	t.target.ServerEncoding = t.node.Encoding
	t.target.ByText = slices.Contains(t.common.ByText, true)
	t.target.SmallSource = !t.source.PartitionsHidden && table.Small(t.source.Partitions)
	t.target.SmallTarget = !t.node.PartitionsHidden && table.Small(t.node.Partitions)
}

// reading returns how the table is read. The seeds are those of the digests.
func (t *targetBuilder) reading(seeds rowdigest.Seeds) tableschema.Reading {
	return tableschema.Reading{Schema: t.plan.Schema, Table: t.plan.Table, Seeds: seeds, Stored: true}
}

// addDigests adds the expressions for the digests of rows, which the repair uses to check
// that a written row is equal to the source's row.
func (t *targetBuilder) addDigests() {
	if t.plan.Source == "" || t.plan.DryRun || !t.target.canBeEqual() {
		return
	}
	reading := t.reading(rowdigest.DrawSeeds())
	t.target.ReadDigest = t.common.Source(t.source, 0, reading).Digest
	t.target.WriteDigest = t.common.Source(t.node, 1, reading).Digest
}

// canBeEqual reports whether source and target have the same columns and the repair sets
// all of them that are not generated to the source's values as they are.
func (t *Target) canBeEqual() bool {
	return t.Common == len(t.Columns) && !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Convert != "" || c.Ignored })
}

// collectColumns lists the columns that both nodes have, and then the columns that only
// the target has. It also collects the sequences and foreign keys that changes concern.
func (t *targetBuilder) collectColumns() {
	for _, c := range t.common.Columns {
		t.addColumn(c.Name)
	}
	t.target.Common = len(t.target.Columns)
	for _, c := range t.node.Columns {
		if _, both := t.source.Column(c.Name); !both {
			t.addColumn(c.Name)
			if slices.Contains(t.writing.Required, c.Name) {
				t.target.Required = append(t.target.Required, c.Name)
			}
			t.target.Write.Columns = append(t.target.Write.Columns, t.target.Write.Alias+"."+table.Quote(c.Name))
		}
	}
	t.target.Sequences = t.writing.Sequences
	if t.plan.FireTriggers {
		t.collectReach()
		return
	}
	t.target.ForeignKeys = t.writing.ForeignKeys
}

func (t *targetBuilder) addColumn(name string) {
	c, _ := t.node.Column(name)
	column := Column{
		Name: name, Type: c.Declared, Written: !c.Generated, NotNull: c.NotNull && !c.Generated,
		Key: slices.Contains(t.plan.Key, name), Ignored: slices.Contains(t.ignored, name),
		Redacted: t.plan.Redaction.Has(name),
		Identity: slices.Contains(t.writing.Identity, name), Unique: slices.Contains(t.writing.Unique, name),
	}
	if s, both := t.source.Column(name); both && s.Type.SQL != c.Type.SQL {
		column.Convert, column.Parse = conversionType(c), tableschema.ParseOf(c.Type)
	} else if both && tableschema.ModifierDiffers(s, c) && !isBits(c) {
		column.Convert = c.Declared
		column.Parse = tableschema.ParseOf(c.Type)
		column.Back = cmp.Or(s.Below, s.Declared)
		column.Padded = tableschema.Padded(c)
	}
	column.Checked = column.Convert != "" && c.Type.Base != nil && !tableschema.HasObjectNames(c.Type)
	t.target.Columns = append(t.target.Columns, column)
	t.target.Write.Names = append(t.target.Write.Names, table.Quote(name))
	// Values are cast to the type below a domain and then assigned to the column: the
	// assignment checks the domain, but does not truncate a value as a cast to it might.
	t.target.Write.Types = append(t.target.Write.Types, c.Type.Underlying().SQL)
	t.target.Write.Parse = append(t.target.Write.Parse, tableschema.ParseOf(c.Type))
}

// isBits reports whether the column has the type bit or bit varying, but not a domain
// over one of them. A cast to bit(n) would pad a shorter value with zeros, and a cast to
// either type would truncate a longer one. So the value is not converted, and the
// assignment to the column refuses it.
func isBits(c table.Column) bool { return strings.HasPrefix(c.Declared, "bit") }

// conversionType returns the name of the type to which a value of another type is cast,
// so that the result is what the column would store. The name has the column's type
// modifier, except for types such as varchar: a cast to varchar(9) would truncate the
// value. For a type of pg_catalog, c.Declared lacks the schema, so a type of the same
// name in another schema could be meant. That is impossible for keywords of SQL, and
// every such type with a modifier has a keyword as its name. For a type of pg_catalog
// without a modifier, conversionType therefore returns the name with the schema.
func conversionType(c table.Column) string {
	switch b := c.Type.Underlying(); b.Name {
	case "varchar", "bpchar", "bit", "varbit":
		return b.SQL
	}
	if c.Type.Schema == "pg_catalog" && !strings.Contains(c.Declared, "(") && !strings.HasPrefix(c.Declared, "interval") {
		return c.Type.SQL
	}
	return c.Declared
}

// collectReach records the foreign keys through which a change would also change rows of
// other tables.
func (t *targetBuilder) collectReach() {
	for _, r := range t.writing.References {
		if r.OnDelete {
			t.target.Deletes = append(t.target.Deletes, r.Name)
		}
		if !r.OnUpdate {
			continue
		}
		reach := Reach{Name: r.Name}
		for i, c := range t.target.Columns {
			if slices.Contains(r.Columns, c.Name) {
				reach.Columns = append(reach.Columns, i)
			}
		}
		t.target.Updates = append(t.target.Updates, reach)
	}
}

// collectTriggers determines whether triggers fire during the repair (Target.Fires). It
// returns a warning if triggers fire although fire_triggers is not set.
func (t *targetBuilder) collectTriggers() []string {
	var names []string
	for _, trigger := range t.writing.Triggers {
		fires := trigger.Always || trigger.Replica
		if t.plan.FireTriggers {
			fires = !trigger.Replica
		} else if fires {
			names = append(names, fmt.Sprintf("%q", trigger.Name))
		}
		t.target.Fires = t.target.Fires || fires
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("node %s: triggers that are enabled ALWAYS or for REPLICA fire anyway: %s", t.node.Node, strings.Join(names, ", "))}
}
