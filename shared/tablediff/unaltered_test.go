package tablediff

import (
	"context"
	"strings"
	"testing"

	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// cataloged is a node with a catalog. It is its own opener.
type cataloged struct {
	plan.Node
	described table.Description
}

func (n cataloged) Open(context.Context, string, string, []string) ([]plan.Node, error) {
	return []plan.Node{n}, nil
}

func (n cataloged) Expecting(table.Identity) plan.Node { return n }

func (n cataloged) Describe(context.Context, string, string, rowdigest.Seeds) (*table.Description, error) {
	return &n.described, nil
}

// described returns a node that has a table with a key of two columns. The other column
// has the type valueType.
func described(valueType string) cataloged {
	column := func(name, of string) table.Column {
		return table.Column{Name: name, NotNull: true, Type: rowdigest.Type{Schema: "pg_catalog", Name: of, Kind: 'b', SQL: "pg_catalog." + of}}
	}
	order := func(name string) table.KeyColumn {
		return table.KeyColumn{Name: name, OpSchema: "pg_catalog", Less: "<", AtLeast: ">=", Equal: "="}
	}
	return cataloged{described: table.Description{
		Node: "n1", Encoding: "UTF8", Kind: "r", Lockable: true, Probe: "p",
		Columns: []table.Column{column("a", "int4"), column("b", "int4"), column("v", valueType)},
		Indexes: []table.Index{{Name: "t_pkey", Primary: true, Columns: []table.KeyColumn{order("a"), order("b")}}},
	}}
}

// In a plan of an earlier version, the SQL of the digests has another text, although the
// table is the same.
func TestCheckUnaltered_AcceptsAPlanOfAnEarlierVersion(t *testing.T) {
	for _, digest := range []int{0, rowdigest.RowVersion} {
		planned := described("int4")
		p := &planner{nodes: []plan.Node{planned}, plan: &plan.Plan{
			Schema: "public", Table: "t", Nodes: []string{"n1"}, Seeds: rowdigest.Seeds{Inner: 3, Outer: 4}, Digest: digest,
		}}
		if err := p.describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		source := &p.plan.Sources[0]
		if digest == 0 { // as version 1 wrote it
			outer := func(inner string) string {
				return "pg_catalog.hash_record_extended(ROW(pg_catalog.int8send(" + inner + ")), '4'::bigint)"
			}
			source.Digest = outer("pg_catalog.hash_record_extended(ROW(\"t\".\"a\", \"t\".\"b\", \"t\".\"v\"), '3'::bigint)")
			source.KeyDigest = outer("pg_catalog.hash_record_extended(ROW(\"t\".\"a\", \"t\".\"b\"), '3'::bigint)")
		}

		for valueType, altered := range map[string]bool{"int4": false, "numeric": true} {
			r := &run{Coordinator: NewCoordinator(CoordinatorOptions{Nodes: described(valueType)}), plan: p.plan}
			err := r.checkUnaltered(t.Context())
			if (err != nil) != altered || altered && (fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "was altered")) {
				t.Errorf("plan of version %d, column of type %s: error %v, source %+v", digest, valueType, err, *source)
			}
		}
	}
}
