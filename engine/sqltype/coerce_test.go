package sqltype

import "testing"

func parse(t *testing.T, text string) Type {
	t.Helper()
	typ, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func TestCommon(t *testing.T) {
	for _, test := range []struct{ a, b, want, why string }{
		{"tinyint", "bigint", "bigint", ""},
		{"integer", "real", "real", "Trino: integers coerce to real"},
		{"bigint", "double", "double", ""},
		{"real", "double", "double", ""},
		{"decimal(10,2)", "double", "double", ""},
		{"decimal(10,2)", "real", "real", ""},
		{"decimal(10,2)", "bigint", "decimal(21,2)", "bigint is decimal(19,0)"},
		{"decimal(5,3)", "decimal(10,1)", "decimal(12,3)", "nine digits before the point, three after it"},
		{"decimal(38,0)", "decimal(38,10)", "decimal(38,10)", "precision ends at 38"},
		{"varchar(3)", "varchar(5)", "varchar(5)", ""},
		{"varchar(3)", "varchar", "varchar", ""},
		{"char(3)", "char(5)", "char(5)", ""},
		{"varchar(7)", "char(5)", "char(7)", "Trino: text beside a char becomes one"},
		{"varchar", "char(5)", "char(65536)", ""},
		{"time(3)", "time(6)", "time(6)", ""},
		{"bigint", "decimal(18,0)", "decimal(19,0)", ""},
		{"tinyint", "decimal(2,1)", "decimal(4,1)", ""},
		{"unknown", "date", "date", ""},
		{"date", "timestamp(3)", "timestamp(3)", ""},
		{"timestamp(6)", "timestamp(3) with time zone", "timestamp(6) with time zone", ""},
		{"date", "timestamp(3) with time zone", "timestamp(3) with time zone", ""},
		{"varchar", "bigint", "", "Trino compares no text with numbers"},
		{"varchar", "date", "", ""},
		{"varchar", "json", "", ""},
		{"boolean", "bigint", "", ""},
		{"array(unknown)", "array(bigint)", "array(bigint)", ""},
		{"array(varchar)", "varchar", "", ""},
		{"map(varchar(2), integer)", "map(varchar, bigint)", "map(varchar, bigint)", ""},
		{"row(a integer, b varchar)", "row(a bigint, c varchar)", "row(a bigint, varchar)", "names that differ are dropped"},
		{"row(a integer)", "row(a integer, b integer)", "", ""},
	} {
		a, b := parse(t, test.a), parse(t, test.b)
		for range 2 {
			got, ok := Common(a, b)
			if ok != (test.want != "") || ok && got.String() != test.want {
				t.Errorf("Common(%s, %s) is %v %t, want %q: %s", a, b, got, ok, test.want, test.why)
			}
			a, b = b, a
		}
	}
}

func TestCanCoerce(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"integer", "bigint", true}, {"bigint", "integer", false},
		{"varchar(3)", "varchar", true}, {"varchar", "varchar(3)", false},
		{"integer", "decimal(12,2)", true}, {"integer", "decimal(11,2)", false},
		{"unknown", "array(bigint)", true},
		{"row(a integer)", "row(b bigint)", true}, {"row(integer)", "row(b bigint)", true},
		{"array(row(x integer))", "array(row(y bigint))", true},
		{"timestamp(3)", "timestamp(6)", true}, {"timestamp", "date", false},
	} {
		if got := CanCoerce(parse(t, test.from), parse(t, test.to)); got != test.want {
			t.Errorf("CanCoerce(%s, %s) is %t", test.from, test.to, got)
		}
	}
}

func TestCanCast(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"varchar", "timestamp(3) with time zone", true}, {"varchar", "varbinary", true}, {"varbinary", "varchar", false},
		{"boolean", "decimal(3,1)", true}, {"date", "bigint", false}, {"timestamp", "date", true}, {"time", "timestamp", true},
		{"date", "time", false}, {"json", "array(map(varchar, json))", true}, {"map(bigint, date)", "json", true},
		{"map(date, bigint)", "json", false}, {"array(varbinary)", "json", false}, {"json", "date", false},
		{"array(varchar)", "array(bigint)", true}, {"array(varchar)", "varchar", false},
		{"row(a varchar)", "row(b bigint)", true}, {"row(a varchar)", "row(a varchar, b varchar)", false},
		{"interval day to second", "varchar", true}, {"unknown", "map(varchar, bigint)", true},
	} {
		if got := CanCast(parse(t, test.from), parse(t, test.to)); got != test.want {
			t.Errorf("CanCast(%s, %s) is %t", test.from, test.to, got)
		}
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"INT", "integer"}, {"string", "varchar"}, {"char(3)", "char(3)"}, {"char", "char(1)"}, {"uuid", "uuid"}, {"IPADDRESS", "ipaddress"}, {"ipprefix", "ipprefix"}, {"float", "real"}, {"double precision", "double"},
		{"decimal", "decimal(38,0)"}, {"Decimal( 5 )", "decimal(5,0)"}, {"numeric(5,2)", "decimal(5,2)"},
		{"timestamp", "timestamp(3)"}, {"timestamp with time zone", "timestamp(3) with time zone"},
		{"timestamp(0) without time zone", "timestamp(0)"}, {"time(6)", "time(6)"},
		{"interval day to second", "interval day to second"}, {"interval year to month", "interval year to month"},
		{"array(row(a varchar, b bigint))", "array(row(a varchar, b bigint))"},
		{"row(bigint, date date, date)", "row(bigint, date date, date)"},
		{"row(timestamp with time zone, timestamp timestamp(6))", "row(timestamp(3) with time zone, timestamp timestamp(6))"},
		{"struct<type:string,arn:string,s:struct<m:boolean>>", "row(type varchar, arn varchar, s row(m boolean))"},
		{"map<string,array<int>>", "map(varchar, array(integer))"},
		{`row("a" json)`, "row(a json)"},
	} {
		got, err := Parse(test.text)
		if err != nil || got.String() != test.want {
			t.Errorf("Parse(%q) is %v, %v, want %s", test.text, got, err, test.want)
			continue
		}
		again, err := Parse(got.String())
		if err != nil || !again.Equal(got) || again.Precision != got.Precision {
			t.Errorf("Parse(%q) is %v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "foo", "array", "array(", "array(bigint", "bigint bigint", "varchar(0)", "varchar(x)", "char(0)", "char(65537)", "timestamp(7)", "time(9)", "time(7) with time zone",
		"decimal(39,0)", "decimal(3,4)", "row()", "map(varchar)", "interval", "row(a)", "array(bigint))"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) is %v, want an error", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("row(a array(map(varchar, decimal(3,1))), timestamp(3) with time zone)")
	f.Add(`struct<"x":int>`)
	f.Fuzz(func(t *testing.T, text string) {
		typ, err := Parse(text)
		if err == nil {
			_ = typ.String()
			typ.Arrow()
			if _, ok := Common(typ, typ); !ok {
				t.Fatalf("%s is not common with itself", typ)
			}
		}
	})
}

// TestFieldNamesReadBack: a type's text names its fields so that Parse gives the type again, whatever they are called.
func TestFieldNamesReadBack(t *testing.T) {
	for _, name := range []string{"a", "A_b", "1a", "a b", `a"b`, `"`, "a,b", "date", "über", "x)", "$path"} {
		want := RowOf(Field{Name: name, Type: BigIntType}, Field{Name: "b", Type: ArrayOf(VarcharType)})
		got, err := Parse(want.String())
		if err != nil || !got.Equal(want) {
			t.Errorf("%q: %s is read as %s, %v", name, want, got, err)
		}
	}
}
