package sqltype

import "strings"

// maxDecimal is the largest precision of a decimal.
const maxDecimal = 38

// integerDigits are the decimal digits that the integer kinds need as decimals.
var integerDigits = map[Kind]int{TinyInt: 3, SmallInt: 5, Integer: 10, BigInt: 19}

// IsNumeric reports whether t is an integer, real, double or decimal type.
func (t Type) IsNumeric() bool { return t.Kind >= TinyInt && t.Kind <= Decimal }

// IsInteger reports whether t is tinyint, smallint, integer or bigint.
func (t Type) IsInteger() bool { return t.Kind >= TinyInt && t.Kind <= BigInt }

// Common returns the least type that both coerce to without a cast in the text, as Trino does:
// tinyint → smallint → integer → bigint → decimal → real → double; varchar(n) → varchar; varchar → char;
// date → timestamp → timestamp with time zone; time → time with time zone; unknown → anything; arrays, maps and rows by their parts.
// ok is false if there is none.
func Common(a, b Type) (t Type, ok bool) {
	if a.Kind > b.Kind {
		a, b = b, a
	}
	switch {
	case a.Kind == Unknown:
		return b, true
	case a.Kind == b.Kind:
		return commonOfKind(a, b)
	case a.IsNumeric() && b.IsNumeric():
		return commonNumber(a, b), true
	case a.Kind == Varchar && b.Kind == Char:
		if a.Length == 0 {
			return CharOf(MaxChar), true
		}
		return CharOf(min(MaxChar, max(a.Length, b.Length))), true
	case a.Kind == Date && (b.Kind == Timestamp || b.Kind == TimestampTZ):
		return b, true
	case a.Kind == Time && b.Kind == TimeTZ, a.Kind == Timestamp && b.Kind == TimestampTZ:
		b.Precision = max(a.Precision, b.Precision)
		return b, true
	}
	return Type{}, false
}

// commonNumber joins two numeric types of different kinds, a's kind being the lower.
func commonNumber(a, b Type) Type {
	switch {
	case a.Kind == Real || a.Kind == Double: // b is decimal or double
		if b.Kind == Double {
			return b
		}
		return a
	case b.Kind == Decimal:
		t, _ := commonOfKind(DecimalOf(integerDigits[a.Kind], 0), b)
		return t
	}
	return b
}

func commonOfKind(a, b Type) (Type, bool) {
	switch a.Kind {
	case Decimal:
		scale := max(a.Scale, b.Scale)
		whole := max(a.Precision-a.Scale, b.Precision-b.Scale)
		return DecimalOf(min(maxDecimal, whole+scale), scale), true
	case Varchar:
		if a.Length == 0 || b.Length == 0 {
			return VarcharType, true
		}
		a.Length = max(a.Length, b.Length)
	case Char:
		a.Length = max(a.Length, b.Length)
	case Time, TimeTZ, Timestamp, TimestampTZ:
		a.Precision = max(a.Precision, b.Precision)
	case Array:
		elem, ok := Common(*a.Elem, *b.Elem)
		return ArrayOf(elem), ok
	case Map:
		key, ok1 := Common(*a.Key, *b.Key)
		elem, ok2 := Common(*a.Elem, *b.Elem)
		return MapOf(key, elem), ok1 && ok2
	case Row:
		if len(a.Fields) != len(b.Fields) {
			return Type{}, false
		}
		fields := make([]Field, len(a.Fields))
		for i, f := range a.Fields {
			t, ok := Common(f.Type, b.Fields[i].Type)
			if !ok {
				return Type{}, false
			}
			if !strings.EqualFold(f.Name, b.Fields[i].Name) {
				f.Name = ""
			}
			fields[i] = Field{Name: f.Name, Type: t}
		}
		return RowOf(fields...), true
	}
	return a, true
}

// CanCoerce reports whether a value of from may stand where to is wanted without a cast in the text.
// Rows coerce by position; the names of their fields do not matter. A char is taken as varchar where that is wanted, which Trino leaves to
// overloads of its functions.
func CanCoerce(from, to Type) bool {
	if from.Kind == to.Kind {
		switch from.Kind {
		case Array:
			return CanCoerce(*from.Elem, *to.Elem)
		case Map:
			return CanCoerce(*from.Key, *to.Key) && CanCoerce(*from.Elem, *to.Elem)
		case Row:
			return eachField(from, to, CanCoerce)
		}
	}
	if from.Kind == Char && to.Kind == Varchar {
		return to.Length == 0 || from.Length <= to.Length
	}
	t, ok := Common(from, to)
	return ok && t.Equal(to)
}

func eachField(from, to Type, ok func(from, to Type) bool) bool {
	if len(from.Fields) != len(to.Fields) {
		return false
	}
	for i := range from.Fields {
		if !ok(from.Fields[i].Type, to.Fields[i].Type) {
			return false
		}
	}
	return true
}

// CanCast reports whether CAST(from AS to) exists, after Trino's tables of casts. Whether one value can be cast
// is another matter.
func CanCast(from, to Type) bool {
	if from.Kind == Unknown {
		return true
	}
	if from.Kind == to.Kind {
		switch from.Kind {
		case Array:
			return CanCast(*from.Elem, *to.Elem)
		case Map:
			return CanCast(*from.Key, *to.Key) && CanCast(*from.Elem, *to.Elem)
		case Row:
			return eachField(from, to, CanCast)
		}
		return true
	}
	scalar := from.Kind == Boolean || from.IsNumeric()
	switch to.Kind {
	case Boolean, TinyInt, SmallInt, Integer, BigInt, Real, Double, Decimal:
		return scalar || from.Kind == Varchar || from.Kind == JSON
	case Varchar:
		return scalar || from.Kind >= Date && from.Kind <= IntervalYear || from.Kind >= JSON && from.Kind <= UUID
	case Char:
		return from.Kind == Varchar
	case Varbinary:
		return from.Kind == Varchar || from.Kind == IPAddress || from.Kind == UUID
	case IPAddress:
		return from.Kind == Varchar || from.Kind == Varbinary || from.Kind == IPPrefix
	case IPPrefix:
		return from.Kind == Varchar || from.Kind == IPAddress
	case UUID:
		return from.Kind == Varchar || from.Kind == Varbinary
	case Date:
		return from.Kind == Varchar || from.Kind == Timestamp || from.Kind == TimestampTZ
	case Time, TimeTZ, Timestamp, TimestampTZ:
		return from.Kind == Varchar || from.Kind >= Time && from.Kind <= TimestampTZ || from.Kind == Date && to.Kind >= Timestamp
	case JSON:
		return toJSON(from)
	case Array, Map, Row:
		return from.Kind == JSON && fromJSON(to)
	}
	return false
}

// toJSON reports whether t casts to json.
func toJSON(t Type) bool {
	switch t.Kind {
	case Unknown, Boolean, Varchar, Date, Timestamp, JSON:
		return true
	case Array:
		return toJSON(*t.Elem)
	case Map:
		return jsonKey(*t.Key) && toJSON(*t.Elem)
	case Row:
		for _, f := range t.Fields {
			if !toJSON(f.Type) {
				return false
			}
		}
		return true
	}
	return t.IsNumeric()
}

// fromJSON reports whether json casts to t.
func fromJSON(t Type) bool {
	switch t.Kind {
	case Boolean, Varchar, JSON:
		return true
	case Array:
		return fromJSON(*t.Elem)
	case Map:
		return jsonKey(*t.Key) && fromJSON(*t.Elem)
	case Row:
		for _, f := range t.Fields {
			if !fromJSON(f.Type) {
				return false
			}
		}
		return true
	}
	return t.IsNumeric()
}

// jsonKey reports whether t can be the key of a map that is cast to or from json.
func jsonKey(t Type) bool { return t.Kind == Boolean || t.Kind == Varchar || t.IsNumeric() }

// Orderable reports whether values of t can be compared by < and sorted: not maps and JSON, nor what holds them.
func (t Type) Orderable() bool {
	switch t.Kind {
	case Map, JSON:
		return false
	case Array:
		return t.Elem.Orderable()
	case Row:
		for _, f := range t.Fields {
			if !f.Type.Orderable() {
				return false
			}
		}
	}
	return true
}
