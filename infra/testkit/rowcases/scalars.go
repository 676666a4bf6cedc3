package rowcases

import "slices"

func nulls() []Case {
	var cases []Case
	for column, zero := range map[string]string{
		"text": "''", "bytea": "''", "int4": "0", "int8": "0", "bool": "false", "int4[]": "'{}'", "jsonb": "'null'",
		"json": "'null'", "float8": "0", "bit varying": "''", "tsvector": "''", "int4range": "'empty'",
	} {
		cases = append(cases,
			of(column).same("null on both", "NULL", "NULL"),
			of(column).differ("null and empty", "NULL", zero))
	}
	slices.SortFunc(cases, func(a, b Case) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return cases
}

func numbers() []Case {
	return slices.Concat(
		of("bool").values("true", "false"),
		of("int2").values("0", "1", "-1", "32767", "-32768"),
		of("int4").values("0", "1", "-1", "2147483647", "-2147483648"),
		// Some adjacent values have the same hash in PostgreSQL's hash function of int8, which
		// folds the value to 32 bits.
		of("int8").values("1", "4294967296", "0", "-1", "4294967295", "9223372036854775807", "-9223372036854775808"),
		of("numeric").values("1.0", "1.00", "1", "'NaN'", "'Infinity'", "'-Infinity'", "1e-30", "-1.5", "1e200"),
		of("numeric(20,4)").values("1.1", "1.1001"),
		[]Case{of("numeric(20,4)").same("1.1 and 1.10000", "1.1", "1.10000")},
		of("float4").values("0", "'-0'", "'NaN'", "'Infinity'", "'-Infinity'", "1.1", "1.1000001", "1e-45", "3.4028235e38"),
		of("float8").values("0", "'-0'", "'NaN'", "'Infinity'", "'-Infinity'", "0.1", "0.30000000000000004", "0.3", "5e-324"),
		of("money").values("0::numeric", "0.01::numeric", "'-1234.56'::numeric", "92233720368547758.07"),
		of("oid").values("0", "4294967295"),
	)
}

func texts() []Case {
	values := []string{"'a'", "'A'", "'a '", "''", "'<NULL>'", "'NULL'", `'a|b,c"d\e'`, "E'a\\nb\\tc'", "'Straße'", "'日本🙂'"}
	return slices.Concat(
		of("text").values(append(values, "'é'", "'e\u0301'")...),
		[]Case{of("text").differ("a million characters, the last one", "repeat('x', 999999) || 'y'", "repeat('x', 999999) || 'z'")},
		of("varchar").values(values...),
		of("varchar(10)").values("'a'", "'b'"),
		of("name").values("'a'", "'b'", "'Straße'"),
		of(`"char"`).values("'a'", "'b'", "''"),
		of("char(5)").values("'ab'", "' ab'", "''"),
		[]Case{of("char(5)").same("with and without blanks at the end", "'ab'", "'ab   '")},
		[]Case{of("bpchar").differ("with and without blanks at the end", "'ab'", "'ab  '")},
	)
}

// collated returns cases of values that a nondeterministic collation compares as equal
// although their texts differ.
func collated() []Case {
	insensitive := create("COLLATION rc_insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
	var cases []Case
	for _, column := range []string{"text", "varchar", "varchar(10)", "char(3)"} {
		cases = append(cases, of(column+" COLLATE rc_insensitive", insensitive).values("'a'", "'A'")...)
	}
	cases = append(cases, of("text[] COLLATE rc_insensitive", insensitive).values("'{a}'", "'{A}'")...)
	return append(cases, of("rc_insensitive_text", insensitive,
		create("DOMAIN rc_insensitive_text AS text COLLATE rc_insensitive")).values("'a'", "'A'")...)
}

func times() []Case {
	return slices.Concat(
		of("date").values("'2024-02-29'", "'2024-03-01'", "'0044-03-15 BC'", "'infinity'", "'-infinity'", "'5874897-12-31'"),
		of("time").values("'00:00'", "'24:00'", "'23:59:59.999999'"),
		of("timetz").values("'12:00+00'", "'13:00+01'", "'12:00:00.000001+00'"),
		of("timestamp").values("'2024-02-29 00:00'", "'2024-02-29 00:00:00.000001'", "'infinity'", "'-infinity'",
			"'0044-03-15 12:00 BC'", "'1900-01-01 00:00'"),
		of("timestamptz").values("'2024-02-29 00:00+00'", "'2024-02-29 00:00+01'", "'infinity'", "'0044-03-15 12:00+00 BC'"),
		[]Case{of("timestamptz").same("one instant in two zones", "'2024-07-01 12:00+00'", "'2024-07-01 14:00+02'")},
		// The cases use make_interval, because IntervalStyle changes the meaning of a
		// literal with a sign.
		of("interval").values("make_interval(days => 1)", "make_interval(hours => 24)", "make_interval(months => 1)",
			"make_interval(days => 30)", "make_interval(days => -1, hours => 2)", "make_interval(days => 1, hours => -2)",
			"make_interval(secs => 0.000001)", "make_interval()"),
		[]Case{of("interval").same("12 months and 1 year", "make_interval(months => 12)", "make_interval(years => 1)")},
	)
}

func bytesAndBits() []Case {
	return slices.Concat(
		of("bytea").values(`'\x00'`, `'\x0000'`, `''`, `'\x5c78'`, `'\xff'`),
		[]Case{of("bytea").differ("5 MB, the last byte",
			"decode(repeat('ab', 5 * 1024 * 1024 - 1) || '00', 'hex')", "decode(repeat('ab', 5 * 1024 * 1024 - 1) || '01', 'hex')")},
		of("bit(4)").values("B'0000'", "B'0001'"),
		of("bit varying").values("B'0'", "B'00'", "B'000000000'", "B'1'"),
	)
}

func networkAndIdentifiers() []Case {
	return slices.Concat(
		of("uuid").values("'00112233-4455-6677-8899-aabbccddeeff'", "'00112233-4455-6677-8899-aabbccddeefe'"),
		of("inet").values("'10.0.0.1'", "'10.0.0.1/24'", "'10.0.0.2/24'", "'::ffff:10.0.0.1'", "'::1'", "'::1/64'"),
		[]Case{of("inet").same("a full mask and none", "'10.0.0.1'", "'10.0.0.1/32'")},
		of("cidr").values("'10.0.0.0/8'", "'10.0.0.0/16'", "'2001:db8::/32'"),
		of("macaddr").values("'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"),
		of("macaddr8").values("'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"),
		of("pg_lsn").values("'0/1'", "'1/0'", "'FFFFFFFF/FFFFFFFF'"),
		of("xid8").values("'1'", "'4294967296'", "'4294967297'"),
	)
}

func geometry() []Case {
	return slices.Concat(
		of("point").values("'(0,0)'", "'(-0,0)'", "'(0,1)'", "'(1,0)'", "'(NaN,Infinity)'"),
		of("line").values("'{1,2,3}'", "'{2,4,6}'"),
		of("lseg").values("'[(0,0),(1,1)]'", "'[(1,1),(0,0)]'"),
		of("box").values("'(1,1),(0,0)'", "'(1,1),(0,0.5)'"),
		of("path").values("'[(0,0),(1,1)]'", "'((0,0),(1,1))'", "'[(0,0)]'"),
		of("polygon").values("'((0,0),(1,1),(1,0))'", "'((1,1),(1,0),(0,0))'"),
		of("circle").values("'<(0,0),1>'", "'<(0,0),1.0000000000000002>'"),
	)
}
