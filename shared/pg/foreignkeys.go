package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"ace/shared/table"
)

// foreignKeysSQL returns the foreign keys of the table and those that refer to it. If the
// table is a partition, it also returns those of the partitioned tables to which it
// belongs. A foreign key that partitions inherit is returned once. A foreign key by which
// the table refers to itself is returned twice, once with the column incoming true. The
// query leaves out temporal foreign keys, those that are not enforced, and those that
// belong or refer to a single partition of the table.
const foreignKeysSQL = `
WITH rels(oid) AS (
    SELECT $1::oid UNION SELECT relid::oid FROM pg_partition_ancestors($1::oid)),
keys AS (
    SELECT c.*, false AS incoming FROM pg_constraint c WHERE c.conrelid IN (SELECT oid FROM rels)
  UNION ALL
    SELECT c.*, true FROM pg_constraint c WHERE c.confrelid IN (SELECT oid FROM rels))
SELECT k.conname, k.incoming, k.conrelid = k.confrelid,
       CASE WHEN r.relkind = 'r' THEN 'ONLY ' ELSE '' END || quote_ident(rn.nspname) || '.' || quote_ident(r.relname),
       CASE WHEN p.relkind = 'r' THEN 'ONLY ' ELSE '' END || quote_ident(pn.nspname) || '.' || quote_ident(p.relname),
       (SELECT json_agg(quote_ident(a.attname) ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
       (SELECT json_agg(quote_ident(a.attname) ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, place)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum),
       (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(CASE WHEN k.incoming THEN k.confkey ELSE k.conkey END) WITH ORDINALITY u(attnum, place)
        JOIN pg_attribute a ON a.attrelid = CASE WHEN k.incoming THEN k.confrelid ELSE k.conrelid END AND a.attnum = u.attnum),
       (SELECT json_agg('OPERATOR(' || quote_ident(n.nspname) || '.' || o.oprname || ')' ORDER BY u.place)
        FROM unnest(k.conpfeqop) WITH ORDINALITY u(operator, place)
        JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace n ON n.oid = o.oprnamespace),
       k.confmatchtype = 'f',
       row_security_active(r.oid) OR row_security_active(p.oid)
         OR NOT has_schema_privilege(rn.oid, 'USAGE') OR NOT has_schema_privilege(pn.oid, 'USAGE')
         OR EXISTS (SELECT FROM unnest(k.conkey) attnum WHERE NOT has_column_privilege(k.conrelid, attnum, 'SELECT'))
         OR EXISTS (SELECT FROM unnest(k.confkey) attnum WHERE NOT has_column_privilege(k.confrelid, attnum, 'SELECT'))
FROM keys k
JOIN pg_class r ON r.oid = k.conrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
  AND coalesce((to_jsonb(k)->>'conenforced')::boolean, true) AND NOT coalesce((to_jsonb(k)->>'conperiod')::boolean, false)
ORDER BY k.conname, k.conrelid, k.incoming`

// usedSequencesSQL returns the sequences that provide values of the table's columns: the
// sequences that a column owns, those of identity columns, and those that the default of
// a column uses. It also returns the last value of each sequence, or NULL if the role may
// not read the value.
const usedSequencesSQL = `
WITH used(attnum, seq) AS (
    SELECT d.refobjsubid, d.objid FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  UNION
    SELECT ad.adnum, d.refobjid FROM pg_attrdef ad
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid AND d.refclassid = 'pg_class'::regclass
    WHERE ad.adrelid = $1::oid)
SELECT a.attname, quote_ident(n.nspname) || '.' || quote_ident(c.relname), s.seqincrement,
       CASE WHEN has_sequence_privilege(c.oid, 'USAGE, SELECT') THEN coalesce(pg_sequence_last_value(c.oid), s.seqstart - s.seqincrement) END
FROM used u
JOIN pg_attribute a ON a.attrelid = $1::oid AND a.attnum = u.attnum
JOIN pg_sequence s ON s.seqrelid = u.seq
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 2`

// links returns the queries that read the foreign keys from and to the table, and the
// sequences of its columns. A repair needs them to find what its changes leave
// inconsistent: foreign keys are not enforced while triggers are disabled, and no repair
// advances a sequence. The function about makes a query whose parameter is the table's
// OID.
func (w *writing) links(about func(sql string, row func(v [][]byte) error) query) []query {
	return []query{
		about(foreignKeysSQL, func(v [][]byte) error {
			f := table.ForeignKey{
				Name: string(v[0]), Incoming: isTrue(v[1]), Self: isTrue(v[2]),
				Referring: string(v[3]), Referenced: string(v[4]), Full: isTrue(v[9]), Hidden: isTrue(v[10]),
			}
			err := errors.Join(readList(v[5], &f.ReferringColumns), readList(v[6], &f.ReferencedColumns), readList(v[7], &f.Columns), readList(v[8], &f.Equal))
			w.d.ForeignKeys = append(w.d.ForeignKeys, f)
			return err
		}),
		about(usedSequencesSQL, func(v [][]byte) (err error) {
			s := table.Sequence{Column: string(v[0]), Name: string(v[1])}
			if s.Increment, err = strconv.ParseInt(string(v[2]), 10, 64); err != nil {
				return err
			}
			if v[3] != nil {
				last, err := strconv.ParseInt(string(v[3]), 10, 64)
				if err != nil {
					return err
				}
				s.Last = &last
			}
			w.d.Sequences = append(w.d.Sequences, s)
			return nil
		}),
	}
}

// Orphans counts the rows that violate the foreign key f because rows of the table were
// changed. into describes the table. columns are the indexes, in into.Names, of those
// columns of the table that belong to the foreign key. Each element of rows has the
// values of these columns in one changed row.
//
// If the foreign key is not incoming, rows has the new values of changed rows, and
// Orphans counts the elements for which the referenced table has no row. If the foreign
// key is incoming, rows has the old values of changed rows, and Orphans counts the rows
// of the other table that refer to such values although no row of the table has them.
// gone means that the changes are only planned (a dry run): the rows of the table still
// have the old values, but Orphans counts as if they were gone.
func (t *Tx) Orphans(ctx context.Context, into table.Target, f table.ForeignKey, columns []int, rows []table.Row, gone bool) (int64, error) {
	values := writtenParams(into, columns)
	equal := func(referenced, referring []string) string {
		tests := make([]string, len(f.Equal))
		for i, operator := range f.Equal {
			tests[i] = referenced[i] + " " + operator + " " + referring[i]
		}
		return allOf(tests)
	}

	listed := qualify("ace_list", values.names())
	parents := qualify("ace_parent", f.ReferencedColumns)
	var sql string
	if f.Incoming {
		children := qualify("ace_child", f.ReferringColumns)
		sql = fmt.Sprintf("SELECT pg_catalog.count(*) FROM %s ace_child WHERE EXISTS (SELECT FROM %s ace_list WHERE %s)",
			f.Referring, values.list(1), equal(listed, children))
		if !gone {
			sql += fmt.Sprintf(" AND NOT EXISTS (SELECT FROM %s ace_parent WHERE %s)", f.Referenced, equal(parents, children))
		}
	} else {
		named := f
		named.ReferringColumns = values.names()
		sql = fmt.Sprintf("SELECT pg_catalog.count(*) FROM %s ace_list WHERE %s AND NOT EXISTS (SELECT FROM %s ace_parent WHERE %s)",
			values.list(1), named.Refers("ace_list"), f.Referenced, equal(parents, listed))
	}

	var count int64
	err := t.run(ctx, "checking a foreign key", query{sql: sql, args: values.ofRows(rows), row: func(v [][]byte) (err error) {
		count, err = strconv.ParseInt(string(v[0]), 10, 64)
		return err
	}})
	return count, err
}
