package fn

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"golang.org/x/text/unicode/norm"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var textFormFunctions = []*Function{
	{
		Name: "ends_with", Category: text,
		Doc:       "Whether the text ends with the other.",
		Example:   "ends_with('abc', 'bc') → true",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> boolean", Eval: pure2(strings.HasSuffix)}},
	},
	{
		Name: "normalize", Category: text, CanFail: true,
		Doc:     "The text in a Unicode normal form: NFC, or NFD, NFKC, NFKD where that is given.",
		Example: "length(normalize('é', NFD)) → 2",
		Overloads: []Overload{
			{Sig: "(varchar) -> varchar", Eval: pure1(norm.NFC.String)},
			{Sig: "(varchar, varchar) -> varchar", Eval: lift2(normalize)},
		},
	},
	{
		Name: "format_number", Category: text,
		Doc:     "A whole number in three digits with a letter for its thousands: K, M, B, T, Q.",
		Example: "format_number(123456) → '123K'",
		Overloads: []Overload{
			{Sig: "(bigint) -> varchar", Eval: pure1(formatNumber)},
			{Sig: "(double) -> varchar", Eval: pure1(func(x float64) string { return formatNumber(saturated(x)) })},
		},
	},
	{
		Name: "parse_data_size", Aliases: []string{"parse_presto_data_size"}, Category: text, CanFail: true,
		Doc:     "Text like 2.3MB (B, kB, MB, GB, TB, PB, EB, ZB, YB; by 1024) as a number of bytes.",
		Example: "parse_data_size('2.3MB') → DECIMAL '2411724'",
		Overloads: []Overload{{Sig: "(varchar) -> decimal", Eval: lift1(parseDataSize),
			Result: func([]sqltype.Type) sqltype.Type { return sqltype.DecimalOf(38, 0) }}},
	},
	{
		Name: "char2hexint", Category: text,
		Doc:     "The UTF-16 form of the text in hexadecimal.",
		Example: "char2hexint('aä') → '006100E4'",
		Overloads: []Overload{{Sig: "(varchar) -> varchar", Eval: pure1(func(s string) string {
			var b []byte
			for _, u := range utf16.Encode([]rune(s)) {
				b = append(b, byte(u>>8), byte(u))
			}
			return strings.ToUpper(hex.EncodeToString(b))
		})}},
	},
	{
		Name: "index", Category: text,
		Doc:       "The position, in characters from 1, of the other text in the text; 0 if it is not there.",
		Example:   "index('abc', 'c') → 3",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> bigint", Eval: pure2(func(s, sub string) int64 { return runePosition(s, strings.Index(s, sub)) })}},
	},
	{
		Name: "split_to_multimap", Category: text, CanFail: true,
		Doc:       "Text of entries, parted by one delimiter, of a key and a value, parted by another, as a map of the keys to their values.",
		Example:   "split_to_multimap('a=1,a=2', ',', '=')['a'] → array['1', '2']",
		Overloads: []Overload{{Sig: "(varchar, varchar, varchar) -> map(varchar, array(varchar))", Eval: splitToMultimap}},
	},
	{
		Name: "multimap_from_entries", Category: maps, CanFail: true,
		Doc:       "The map of an array of rows of key and value, each key with the array of its values. A key that is NULL is an error.",
		Example:   "multimap_from_entries(array[row('a', 1), row('a', 2)])['a'] → array[1, 2]",
		Overloads: []Overload{{Sig: "(array(row(K, V))) -> map(K, array(V))", Eval: multimapFromEntries}},
	},
}

func normalize(s, form string) (string, error) {
	switch strings.ToUpper(form) {
	case "NFC":
		return norm.NFC.String(s), nil
	case "NFD":
		return norm.NFD.String(s), nil
	case "NFKC":
		return norm.NFKC.String(s), nil
	case "NFKD":
		return norm.NFKD.String(s), nil
	}
	return "", valueError("%s is no normal form; there are NFC, NFD, NFKC and NFKD", shown(form))
}

// saturated is x without the digits after its point, as Java casts it: NaN is 0, what is too large the end of the range.
func saturated(x float64) int64 {
	switch {
	case math.IsNaN(x):
		return 0
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	}
	return int64(x)
}

func formatNumber(n int64) string {
	x, unit := float64(n), ""
	for _, u := range []string{"K", "M", "B", "T", "Q"} {
		if math.Abs(x) < 1000 {
			break
		}
		x, unit = x/1000, u
	}
	digits := 0
	if x < 10 { // so Trino does it: a negative number keeps two digits
		digits = 2
	} else if x < 100 {
		digits = 1
	}
	s := strconv.FormatFloat(roundTo(x, int64(digits)), 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + unit
}

func parseDataSize(s string) (decimal128.Num, error) {
	number := strings.TrimRight(s, "BkMGTPEZY")
	power, known := map[string]uint{"B": 0, "kB": 10, "MB": 20, "GB": 30, "TB": 40, "PB": 50, "EB": 60, "ZB": 70, "YB": 80}[s[len(number):]]
	x, ok := new(big.Rat).SetString(number)
	if !ok || !known || len(number) > 40 || strings.ContainsAny(number, "eE/_xXpP+-") {
		return decimal128.Num{}, valueError("%s is not a size of data, such as 2.3MB", shown(s))
	}
	x.Mul(x, new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), power)))
	whole := new(big.Int).Quo(x.Num(), x.Denom())
	if whole.Cmp(bigPower10(38)) >= 0 {
		return decimal128.Num{}, valueError("%s is out of range", shown(s))
	}
	return decimal128.FromBigInt(whole), nil
}

func splitToMultimap(c *Call) (arrow.Array, error) {
	text, entryDelimiter, keyDelimiter, nulls := arg[string](c, 0), arg[string](c, 1), arg[string](c, 2), c.nulls()
	var keys, values []string
	offsets := append(make([]int32, 0, c.Len+1), 0)
	for i := range c.Len {
		if nulls == nil || !nulls[i] {
			between, within := entryDelimiter.at(i), keyDelimiter.at(i)
			if between == "" || within == "" || between == within {
				return nil, valueError("split_to_multimap takes two delimiters that differ and are not empty")
			}
			rest := text.at(i)
			for more := true; more && rest != ""; {
				var entry string
				entry, rest, more = strings.Cut(rest, between)
				key, value, found := strings.Cut(entry, within)
				if !found || strings.Contains(value, within) {
					return nil, valueError("%s is not a key and a value", shown(entry))
				}
				keys, values = append(keys, key), append(values, value)
			}
			if len(keys) > maxElements {
				return nil, tooManyElements()
			}
		}
		offsets = append(offsets, int32(len(keys)))
	}
	keyArray, err := write(sqltype.VarcharType, keys, nil)
	if err != nil {
		return nil, err
	}
	valueArray, err := write(sqltype.VarcharType, values, nil)
	if err != nil {
		return nil, err
	}
	return gatherMultimap(c, offsets, keyArray, valueArray, nulls), nil
}

func multimapFromEntries(c *Call) (arrow.Array, error) {
	nulls := c.nulls()
	s, err := spreadOf(c, 0, nulls)
	if err != nil {
		return nil, err
	}
	entries := vec.Take(elementsOf(c.Args[0]), s.at).(*array.Struct)
	for i := range entries.Len() {
		if !vec.IsValid(entries, i) || !vec.IsValid(entries.Field(0), i) {
			return nil, valueError("an entry of a map and its key must not be NULL")
		}
	}
	return gatherMultimap(c, s.offsets, entries.Field(0), entries.Field(1), nulls), nil
}

// gatherMultimap makes the maps of the pairs of each row, from offsets[i] to offsets[i+1], keys in the order of their first pairs.
func gatherMultimap(c *Call, offsets []int32, keys, values arrow.Array, nulls []bool) arrow.Array {
	b := newMapBuilder(keys, c.Len)
	entryOf := make([]uint32, 0, keys.Len()) // of each pair
	at := map[int32]uint32{}                 // first pair of a key → its entry
	for row := range c.Len {
		clear(at)
		for e := offsets[row]; e < offsets[row+1]; e++ {
			if b.set.add(e) {
				at[e] = uint32(len(b.entries))
				b.entries = append(b.entries, e)
			}
			entryOf = append(entryOf, at[b.set.first(e)])
		}
		b.end()
	}
	order, listOffsets := byGroup(entryOf, len(b.entries))
	lists := listArray(*c.Result.Elem, listOffsets, vec.Take(values, order), nil)
	return mapArray(c.Result, b.offsets, vec.Take(keys, b.entries), lists, nulls)
}
