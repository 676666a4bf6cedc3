package rowcases

import "slices"

func documents() []Case {
	return slices.Concat(
		of("json").values(`'{"a":1,"b":2}'`, `'{"b":2,"a":1}'`, `'{"a": 1,"b":2}'`, `'{"a":1,"a":1}'`, `'1.0'`, `'1.00'`),
		of("jsonb").values(`'{"a":1,"b":2}'`, `'{"a":1,"b":"2"}'`, `'[1.0]'`, `'[1.00]'`, `'"\u00e9"'`, `'""'`),
		[]Case{
			of("jsonb").same("other key order and whitespace", `'{"a":1,"b":2}'`, `'{ "b": 2, "a":1 }'`),
			of("jsonb").same("a key given twice", `'{"a":1,"a":2}'`, `'{"a":2}'`),
		},
		of("jsonpath").values(`'$.a[*]'`, `'$.b[*]'`, `'strict $.b[*]'`),
		of("xml").values("'<a/>'", "'<a></a>'", "'<a> </a>'", `'<?xml version="1.0"?><a>é</a>'`),
	)
}

func textSearch() []Case {
	return slices.Concat(
		of("tsvector").values("'a:1 b:2'", "'a:2 b:1'", "'a b'", "'a:1A b:2'"),
		[]Case{of("tsvector").same("other order and twice", "'b a'", "'a b a'")},
		of("tsquery").values("'a & b'", "'b & a'", "'a | b'", "'a <2> b'", "'a:*B'", "'!a'"),
	)
}

func ranges() []Case {
	return slices.Concat(
		of("int4range").values("'[1,2)'", "'[1,3)'", "'empty'", "'(,)'", "'[1,)'"),
		[]Case{of("int4range").same("two ways to write one range", "'[1,2]'", "'[1,3)'")},
		of("int8range").values("'[1,5)'", "'[1,4294967301)'"),
		of("numrange").values("'[1.0,2)'", "'[1.00,2)'", "'[1.0,2]'", "'(1.0,2]'"),
		of("daterange").values("'[2024-01-01,2024-02-01)'", "'[2024-01-01,infinity)'", "'[2024-01-01,)'"),
		of("tsrange").values("'[2024-01-01 00:00,)'", "'[2024-01-01 00:00:00.000001,)'"),
		of("tstzrange").values("'[2024-01-01 00:00+00,)'", "'[2024-01-01 00:00+01,)'"),
		of("int4multirange").values("'{[1,2),[5,6)}'", "'{[1,2)}'", "'{}'"),
		[]Case{of("int4multirange").same("neighbours are merged", "'{[1,2),[2,3)}'", "'{[1,3)}'")},
		of("int8multirange").values("'{[1,5)}'", "'{[1,4294967301)}'"),
		of("nummultirange").values("'{[1.0,2)}'", "'{[1.00,2)}'"),
		of("datemultirange").values("'{[2024-01-01,2024-02-01)}'", "'{}'"),
		of("tsmultirange").values("'{[2024-01-01 00:00,)}'", "'{}'"),
		of("tstzmultirange").values("'{[2024-01-01 00:00+00,)}'", "'{[2024-01-01 00:00+01,)}'"),
		of("rc_floats", create("TYPE rc_floats AS RANGE (subtype = float8)")).values("'[0,1)'", "'[-0,1)'"),
	)
}

func arrays() []Case {
	return slices.Concat(
		of("int4[]").values("'{1,2}'", "'{{1,2}}'", "'[0:1]={1,2}'", "'{1,NULL}'", "'{NULL,1}'", "'{}'", "'{{1},{2}}'"),
		of("int8[]").values("'{1}'", "'{4294967296}'"),
		of("text[]").values(`'{a,b}'`, `'{"a,b"}'`, `'{NULL}'`, `'{"NULL"}'`, `'{""}'`, `'{{a,b}}'`, `'{Straße}'`),
		of("numeric[]").values("'{1.0}'", "'{1.00}'"),
		of("float8[]").values("'{0}'", "'{-0}'"),
		of("char(3)[]").values("'{a}'", "'{b}'"),
		of("timestamptz[]").values("'{2024-01-01 00:00+00}'", "'{2024-01-01 00:00+01}'"),
		of("interval[]").values("ARRAY[make_interval(days => 1)]", "ARRAY[make_interval(hours => 24)]"),
		of("uuid[]").values("'{00112233-4455-6677-8899-aabbccddeeff}'", "'{NULL}'"),
		of("json[]").values(`ARRAY['{"a":1}']::json[]`, `ARRAY['{"a": 1}']::json[]`),
		of("bytea[]").values(`'{"\\x00"}'`, `'{"\\x0000"}'`),
		of("int4range[]").values(`'{"[1,2)"}'`, `'{"[1,3)"}'`),
		[]Case{
			of("text[]").same("with room for NULLs that it does not hold", `'{b}'`, `(ARRAY[NULL, 'b'])[2:2]`),
			of("int8[]").same("with room for NULLs that it does not hold", `'{{1,2},{3,4}}'`, `array_replace('{{1,NULL},{3,4}}'::int8[], NULL, 2)`),
			of("int4[]").same("empty in two ways", `'{}'`, `array_remove('{1}'::int4[], 1)`),
		},
	)
}

// Twins returns pairs of values that have the same text and may have different binary
// forms. The digests of the binary forms need not be equal, but the digests of the texts
// must be equal.
func Twins() []Case {
	const nan = "('Infinity'::float8 - 'Infinity'::float8)" // its sign depends on the processor
	twins := []Case{
		of("float8").same("NaN", "'NaN'", nan),
		of("float4").same("NaN", "'NaN'", nan+"::float4"),
		of("float8[]").same("NaN", "'{NaN}'", "ARRAY["+nan+"]"),
		of("point").same("NaN", "'(NaN,1)'", "point("+nan+", 1)"),
		of("lseg").same("NaN", "'[(NaN,1),(2,3)]'", "lseg(point("+nan+", 1), '(2,3)')"),
		of("circle").same("NaN", "'<(NaN,1),2>'", "circle(point("+nan+", 1), 2)"),
		of("path").same("NaN", "'[(NaN,NaN)]'", "'[(0,0)]'::path + point("+nan+", "+nan+")"),
		of("tsquery").same("trees of two shapes", "'a & b'::tsquery && 'c'::tsquery", "'a'::tsquery && 'b & c'::tsquery"),
		of("tsquery[]").same("trees of two shapes", "ARRAY['a & b'::tsquery && 'c'::tsquery]", "ARRAY['a'::tsquery && 'b & c'::tsquery]"),
		of("bit(3)").same("shifted", "'100'", "B'111' << 2"),
		of("varbit").same("cut", "'101'", "substring(B'101111111' FROM 1 FOR 3)"),
		of("numeric").same("computed", "1.5", "(3.0::numeric(10,1) / 2)::numeric(10,1)"),
		of("numeric").same("zero", "0", "-1 * 0::numeric"),
		of("tsvector").same("stripped", "'a b'", "strip('a:1 b:2'::tsvector)"),
		of("jsonb").same("built", `'{"a": [1]}'`, `jsonb_set('{"a": [2, 3]}', '{a}', '[1]')`),
		of("numrange").same("computed", "'[1.5,2.0)'", "numrange(1.0, 2.0) * numrange(1.5, 3.0)"),
		of("int4multirange").same("computed", "'{[1,3)}'", "'{[1,5)}'::int4multirange - '{[3,5)}'::int4multirange"),
		of("interval").same("computed", "'1 day'", "'2 days'::interval - '1 day'::interval"),
		of("timestamptz").same("computed", "'2024-01-01 00:00+00'", "'2024-01-02 00:00+00'::timestamptz - interval '24 hours'"),
		of("inet").same("made of cidr", "'10.0.0.0/8'", "'10.0.0.0/8'::cidr::inet"),
		of("xml").same("with and without its encoding", "'<a/>'", `'<?xml version="1.0"?><a/>'`),
		of("rc_twin", create("TYPE rc_twin AS (f float8, a text[])")).same("fields", "ROW('NaN', '{b}')", "ROW("+nan+", (ARRAY[NULL, 'b'])[2:2])"),
		of("rc_nans", create("TYPE rc_nans AS RANGE (subtype = float8)")).same("NaN", "'[0,NaN)'", "rc_nans(0, "+nan+")"),
		of("rc_float", create("DOMAIN rc_float AS float8")).same("NaN", "'NaN'", nan),
	}
	return twins
}

func enums() []Case {
	mood := create("TYPE rc_mood AS ENUM ('sad', 'ok', 'happy')")
	cases := slices.Concat(
		of("rc_mood", mood).values("'sad'", "'happy'"),
		of("rc_mood[]", mood).values("'{sad,happy}'", "'{happy,sad}'", "'{{sad,happy}}'"),
		of("rc_mood_domain", mood, create("DOMAIN rc_mood_domain AS rc_mood")).values("'sad'", "'happy'"),
		of("rc_mood_domain[]", mood, create("DOMAIN rc_mood_domain AS rc_mood")).values("'{sad}'", "'{happy}'"),
	)
	reordered := of("rc_level", create("TYPE rc_level AS ENUM ('low', 'high')")).same("labels in another order", "'low'", "'low'")
	reordered.second = &differing{column: "rc_level", setup: []string{create("TYPE rc_level AS ENUM ('high', 'low')")}}
	renamed := of("rc_step", create("TYPE rc_step AS ENUM ('first', 'second')")).differ("another label in its place", "'first'", "'start'")
	renamed.second = &differing{column: "rc_step", setup: []string{create("TYPE rc_step AS ENUM ('start', 'second')")}}
	return append(cases, reordered, renamed)
}

func domains() []Case {
	positive := create("DOMAIN rc_positive AS int8 CHECK (VALUE > 0)")
	return slices.Concat(
		of("rc_positive", positive).values("1", "4294967296"),
		of("rc_nested", positive, create("DOMAIN rc_nested AS rc_positive")).values("1", "4294967296"),
		of("rc_positive[]", positive).values("'{1}'", "'{4294967296}'"),
		of("rc_ints", create("DOMAIN rc_ints AS int4[]")).values("'{1,2}'", "'{{1,2}}'"),
		of("rc_blanks", create("DOMAIN rc_blanks AS bpchar")).values("'a'", "'a '"),
		of("rc_code", create("DOMAIN rc_code AS varchar(8)")).values("'a'", "'b'"),
		of("rc_price", create("DOMAIN rc_price AS numeric")).values("1.0", "1.00"),
		of("rc_period", create("DOMAIN rc_period AS tstzrange")).values("'[2024-01-01 00:00+00,)'", "'[2024-01-01 00:00+01,)'"),
		of("information_schema.sql_identifier").values("'a'", "'b'"),
	)
}

func composites() []Case {
	pair := create("TYPE rc_pair AS (a int8, b text)")
	values := []string{"ROW(1, 'x')", "ROW(4294967296, 'x')", "ROW(1, NULL)", "ROW(1, '')", "ROW(NULL, NULL)", "NULL",
		`ROW(1, 'x,"y"')`}
	return slices.Concat(
		of("rc_pair", pair).values(values...),
		of("rc_pair[]", pair).values("ARRAY[ROW(1, 'x')::rc_pair]", "ARRAY[ROW(1, 'y')::rc_pair]"),
		of("rc_pair_domain", pair, create("DOMAIN rc_pair_domain AS rc_pair")).values("'(1,x)'", "'(2,x)'", "'(,)'", "NULL"),
	)
}

// catalogue returns cases of types that are OIDs or other internals of a server.
func catalogue() []Case {
	table := create("TABLE rc_table ()")
	return slices.Concat(
		of("regclass", table).values("'rc_table'", "'pg_type'"),
		of("regclass[]", table).values("'{rc_table}'", "'{pg_type}'"),
		of("regtype", create("TYPE rc_mood AS ENUM ('sad', 'ok', 'happy')")).values("'rc_mood'", "'int4'"),
		of("regproc").values("'now'", "'clock_timestamp'"),
		of("regrole").values("'postgres'", "'pg_monitor'"),
		of("regnamespace").values("'public'", "'pg_catalog'"),
		of("aclitem").values("'postgres=r/postgres'", "'postgres=rw/postgres'"),
		of("tid").values("'(0,1)'", "'(1,0)'"),
		of("xid").values("'1'", "'2'"),
		of("cid").values("'1'", "'2'"),
		of("refcursor").values("'a'", "'b'"),
		of("int2vector").values("'1 2'", "'2 1'"),
		of("oidvector").values("'1 2'", "'2 1'"),
		of("pg_snapshot").values("'10:20:10,14'", "'10:20:10,15'"),
		of("txid_snapshot").values("'10:20:10,14'", "'10:20:10,15'"),
	)
}

// extensions returns cases of types of extensions in a schema that no search_path
// contains.
func extensions() []Case {
	const schema = "CREATE SCHEMA IF NOT EXISTS ext"
	citext := []string{schema, "CREATE EXTENSION IF NOT EXISTS citext SCHEMA ext"}
	hstore := []string{schema, "CREATE EXTENSION IF NOT EXISTS hstore SCHEMA ext"}
	return slices.Concat(
		of("ext.citext", citext...).values("'a'", "'A'", "''"),
		of("ext.citext[]", citext...).values("'{a}'", "'{A}'"),
		of("ext.hstore", hstore...).values(`'a=>1'`, `'a=>NULL'`, `'a=>"NULL"'`),
		[]Case{of("ext.hstore", hstore...).same("other order", `'a=>1, b=>2'`, `'b=>2, a=>1'`)},
	)
}

// otherTypes returns cases in which the nodes have different types, whose texts are
// compared.
func otherTypes() []Case {
	between := func(first, second, a, b string, equal bool) Case {
		c := of(first).pair("against "+second+": "+a+" and "+b, a, b, equal)
		c.second = &differing{column: second}
		return c
	}
	return []Case{
		between("int4", "int8", "7", "7", true),
		between("int4", "int8", "7", "8", false),
		between("int4", "text", "7", "'7'", true),
		between("numeric", "int4", "7.0", "7", false),
		between("varchar(10)", "text", "'a'", "'a'", true),
		between("char(5)", "text", "'a'", "'a'", false),
		between("char(5)", "text", "'a'", "'a    '", true),
		between("bool", "text", "true", "'t'", true),
		between("bool", "text", "true", "'true'", false),
		between("inet", "text", "'10.0.0.1'", "'10.0.0.1'", true),
		between("timestamptz", "timestamp", "'2024-01-01 00:00+00'", "'2024-01-01 00:00'", false),
		between("json", "jsonb", `'{"a": 1}'`, `'{"a":1}'`, true),
		between("bytea", "text", `'\x00'`, `'\x00'`, true),
		between("text", "bytea", `NULL`, `''`, false),
	}
}
