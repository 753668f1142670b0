package fn

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Positions and lengths count characters (code points), as SQL does, not bytes.

var stringFunctions = []*Function{
	{
		Name: "length", Category: text,
		Doc:     "How many characters the text has; bytes for varbinary.",
		Example: "length('trail') → 5",
		Overloads: []Overload{
			{Sig: "(varchar) -> bigint", Eval: lengthOfText},
			{Sig: "(varbinary) -> bigint", Eval: pure1(func(b []byte) int64 { return int64(len(b)) })},
		},
	},
	{
		Name: "lower", Category: text,
		Doc:       "The text in lower case.",
		Example:   "lower('ABC') → 'abc'",
		Overloads: []Overload{{Sig: "(varchar) -> varchar", Eval: inCase(strings.ToLower, 'A', 'a'-'A')}},
	},
	{
		Name: "upper", Category: text,
		Doc:       "The text in upper case.",
		Example:   "upper('abc') → 'ABC'",
		Overloads: []Overload{{Sig: "(varchar) -> varchar", Eval: inCase(strings.ToUpper, 'a', 256-('a'-'A'))}},
	},
	{
		Name: "trim", Category: text,
		Doc:     "The text without white space, or without the characters given, at both ends.",
		Example: "trim('  a ') → 'a'",
		Overloads: []Overload{
			{Sig: "(varchar) -> varchar", Eval: pure1(strings.TrimSpace)},
			{Sig: "(varchar, varchar) -> varchar", Eval: pure2(strings.Trim)},
		},
	},
	{
		Name: "ltrim", Category: text,
		Doc:     "The text without white space, or without the characters given, at the start.",
		Example: "ltrim('  a') → 'a'",
		Overloads: []Overload{
			{Sig: "(varchar) -> varchar", Eval: pure1(func(s string) string { return strings.TrimLeftFunc(s, unicode.IsSpace) })},
			{Sig: "(varchar, varchar) -> varchar", Eval: pure2(strings.TrimLeft)},
		},
	},
	{
		Name: "rtrim", Category: text,
		Doc:     "The text without white space, or without the characters given, at the end.",
		Example: "rtrim('a  ') → 'a'",
		Overloads: []Overload{
			{Sig: "(varchar) -> varchar", Eval: pure1(func(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) })},
			{Sig: "(varchar, varchar) -> varchar", Eval: pure2(strings.TrimRight)},
		},
	},
	{
		Name: "substr", Aliases: []string{"substring"}, Category: text,
		Doc:     "The text from a position, counted from 1 or from the end if negative, perhaps of a length only.",
		Example: "substr('abc', 2) → 'bc'",
		Overloads: []Overload{
			{Sig: "(varchar, bigint) -> varchar", Eval: substrText(pure2(func(s string, start int64) string { return substr(s, start, math.MaxInt64) }))},
			{Sig: "(varchar, bigint, bigint) -> varchar", Eval: substrText(lift3(func(s string, start, n int64) (string, error) { return substr(s, start, n), nil }))},
			{Sig: "(varbinary, bigint) -> varbinary", Eval: pure2(func(b []byte, start int64) []byte { return subBytes(b, start, math.MaxInt64) })},
			{Sig: "(varbinary, bigint, bigint) -> varbinary", Eval: lift3(func(b []byte, start, n int64) ([]byte, error) { return subBytes(b, start, n), nil })},
		},
	},
	{
		Name: "replace", Category: text, CanFail: true,
		Doc:     "The text with every occurrence of the second replaced by the third, or removed.",
		Example: "replace('a-b-c', '-', '+') → 'a+b+c'",
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> varchar", Eval: append2(func(dst []byte, s, old string) ([]byte, error) {
				if old == "" {
					return append(dst, s...), nil
				}
				return replace(dst, s, old, "")
			})},
			{Sig: "(varchar, varchar, varchar) -> varchar", Eval: append3(replace)},
		},
	},
	{
		Name: "concat", Category: text, CanFail: true,
		Doc:     "Texts, binary strings or arrays one after the other; NULL if one is NULL.",
		Example: "concat('a', 'b', 'c') → 'abc'",
		Overloads: []Overload{
			{Sig: "(varchar, varchar...) -> varchar", Eval: concatTexts},
			{Sig: "(varbinary, varbinary...) -> varbinary", Eval: concatBinaries},
			{Sig: "(array(T), array(T)...) -> array(T)", Eval: concatArrays},
		},
	},
	{
		Name: "concat_ws", Category: text, NullCall: true, CanFail: true,
		Doc:     "Texts, or the elements of an array, with a separator between them; those that are NULL are left out.",
		Example: "concat_ws(',', 'a', NULL, 'b') → 'a,b'",
		Overloads: []Overload{
			{Sig: "(varchar, varchar...) -> varchar", Eval: concatWS},
			{Sig: "(varchar, array(varchar)) -> varchar", Eval: concatElementsWS},
		},
	},
	{
		Name: "split", Category: text, CanFail: true,
		Doc:     "The parts of the text between the delimiters, at most as many as the third argument says.",
		Example: "split('a,b,c', ',', 2) → array['a', 'b,c']",
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> array(varchar)", Eval: split},
			{Sig: "(varchar, varchar, bigint) -> array(varchar)", Eval: split},
		},
	},
	{
		Name: "split_part", Category: text, CanFail: true, FailsByConstants: true,
		Doc:       "The n-th part of the text between the delimiters, counted from 1; NULL if there are fewer.",
		Example:   "split_part('a,b,c', ',', 2) → 'b'",
		Overloads: []Overload{{Sig: "(varchar, varchar, bigint) -> varchar", Eval: splitPartText}},
	},
	{
		Name: "split_to_map", Category: text, CanFail: true,
		Doc:       "Text such as k1=v1,k2=v2 as a map, by the delimiter of entries and that of key and value. A key twice is an error.",
		Example:   "split_to_map('a=1,b=2', ',', '=') → map(array['a', 'b'], array['1', '2'])",
		Overloads: []Overload{{Sig: "(varchar, varchar, varchar) -> map(varchar, varchar)", Eval: splitToMap}},
	},
	{
		Name: "strpos", Category: text, CanFail: true,
		Doc:     "The position of the n-th (first, or from the end if negative) occurrence of the second text in the first, 0 if there is none.",
		Example: "strpos('trail', 'ail') → 3",
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> bigint", Eval: pure2(func(s, sub string) int64 { return runePosition(s, strings.Index(s, sub)) })},
			{Sig: "(varchar, varchar, bigint) -> bigint", Eval: lift3(strpos)},
		},
	},
	{
		Name: "reverse", Category: text,
		Doc:     "The characters, bytes or elements in the opposite order.",
		Example: "reverse('abc') → 'cba'",
		Overloads: []Overload{
			{Sig: "(varchar) -> varchar", Eval: append1(reverseText)},
			{Sig: "(varbinary) -> varbinary", Eval: append1(func(dst, b []byte) ([]byte, error) {
				for i := len(b) - 1; i >= 0; i-- {
					dst = append(dst, b[i])
				}
				return dst, nil
			})},
			{Sig: "(array(T)) -> array(T)", Eval: reverseArray},
		},
	},
	{
		Name: "starts_with", Category: text,
		Doc:       "Whether the text begins with the second.",
		Example:   "starts_with('trail', 'tr') → true",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> boolean", Eval: pure2(strings.HasPrefix)}},
	},
	{
		Name: "lpad", Category: text, CanFail: true,
		Doc:     "The text brought to a length by filling in front, or by cutting at the end.",
		Example: "lpad('7', 3, '0') → '007'",
		Overloads: []Overload{
			{Sig: "(varchar, bigint, varchar) -> varchar", Eval: append3(lpad)},
			{Sig: "(varbinary, bigint, varbinary) -> varbinary", Eval: append3(lpadBytes)},
		},
	},
	{
		Name: "rpad", Category: text, CanFail: true,
		Doc:     "The text brought to a length by filling at the end, or by cutting there.",
		Example: "rpad('7', 3, '0') → '700'",
		Overloads: []Overload{
			{Sig: "(varchar, bigint, varchar) -> varchar", Eval: append3(rpad)},
			{Sig: "(varbinary, bigint, varbinary) -> varbinary", Eval: append3(rpadBytes)},
		},
	},
	{
		Name: "chr", Category: text, CanFail: true,
		Doc:     "The character with a Unicode code point.",
		Example: "chr(65) → 'A'",
		Overloads: []Overload{{Sig: "(bigint) -> varchar", Eval: lift1(func(n int64) (string, error) {
			if n < 0 || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
				return "", valueError("%d is no Unicode code point", n)
			}
			return string(rune(n)), nil
		})}},
	},
	{
		Name: "codepoint", Category: text, CanFail: true,
		Doc:     "The Unicode code point of a text of one character.",
		Example: "codepoint('A') → 65",
		Overloads: []Overload{{Sig: "(varchar) -> integer", Eval: lift1(func(s string) (int32, error) {
			r, size := utf8.DecodeRuneInString(s)
			if size == 0 || size != len(s) {
				return 0, valueError("codepoint takes one character, not %s", shown(s))
			}
			return r, nil
		})}},
	},
	{
		Name: "levenshtein_distance", Category: text, CanFail: true,
		Doc:       "How many characters must be inserted, deleted or replaced to turn one text into the other.",
		Example:   "levenshtein_distance('kitten', 'sitting') → 3",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> bigint", Eval: lift2(levenshtein)}},
	},
	{
		Name: "hamming_distance", Category: text, CanFail: true,
		Doc:       "In how many positions two texts of equal length differ.",
		Example:   "hamming_distance('abc', 'abd') → 1",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> bigint", Eval: lift2(hamming)}},
	},
	{
		Name: "word_stem", Category: text, CanFail: true,
		Doc:     "The stem of a word in small letters, by the stemmer of the Snowball project. English ('en') is the only language.",
		Example: "word_stem('generalisations') → 'generalis'",
		Overloads: []Overload{
			{Sig: "(varchar) -> varchar", Eval: pure1(stemEnglish)},
			{Sig: "(varchar, varchar) -> varchar", Eval: lift2(func(word, language string) (string, error) {
				if language != "en" {
					return "", valueError("word_stem knows no language %s, only 'en'", shown(language))
				}
				return stemEnglish(word), nil
			})},
		},
	},
	{
		Name: "title_case", Category: text,
		Doc:       "The text with the first letter of each word in capitals and all others small.",
		Example:   "title_case('hello WORLD-wide') → 'Hello World-Wide'",
		Overloads: []Overload{{Sig: "(varchar) -> varchar", Eval: pure1(titleCase)}},
	},
	{
		Name: "translate", Category: text,
		Doc:       "The text with each character of the second argument replaced by that at the same place in the third, or removed if that is shorter.",
		Example:   "translate('abcd', 'abc', 'AB') → 'ABd'",
		Overloads: []Overload{{Sig: "(varchar, varchar, varchar) -> varchar", Eval: append3(translate)}},
	},
	{
		Name: "to_utf8", Category: text,
		Doc:       "The bytes of the text.",
		Example:   "to_hex(to_utf8('az')) → '617A'",
		Overloads: []Overload{{Sig: "(varchar) -> varbinary", Eval: pure1(func(s string) []byte { return []byte(s) })}},
	},
	{
		Name: "from_utf8", Category: text, CanFail: true,
		Doc:     "The bytes as text; bytes that are no UTF-8 become U+FFFD, or the character given, or are left out if that is empty.",
		Example: "from_utf8(from_hex('617A')) → 'az'",
		Overloads: []Overload{
			{Sig: "(varbinary) -> varchar", Eval: append1(func(dst, b []byte) ([]byte, error) { return fromUTF8(dst, b, "\uFFFD") })},
			{Sig: "(varbinary, varchar) -> varchar", Eval: append2(fromUTF8)},
		},
	},
	{
		Name: "format", Category: text, CanFail: true, NullCall: true,
		Doc:       "Values put into a text in which %s, %d, %x, %o, %e, %f, %.2f, %,d, %5s, %-5s, %05d, %b, %c, %% or %1$s stand for them.",
		Example:   "format('%s has %,d', 'trail', 12345) → 'trail has 12,345'",
		Overloads: []Overload{{Sig: "(varchar, any...) -> varchar", Eval: format}},
	},
	{
		Name: "uuid", Category: text, Volatile: true,
		Doc:     "A random UUID.",
		Example: "length(cast(uuid() as varchar)) → 36",
		Overloads: []Overload{{Sig: "() -> uuid", Eval: func(c *Call) (arrow.Array, error) {
			return eachRow(c, func(int) ([]byte, error) { return randomUUID(), nil })
		}}},
	},
	{
		Name: "soundex", Category: text, CanFail: true,
		Doc:       "The Soundex code of an English word.",
		Example:   "soundex('Robert') → 'R163'",
		Overloads: []Overload{{Sig: "(varchar) -> varchar", Eval: lift1(soundex)}},
	},
	{
		Name: "luhn_check", Category: text, CanFail: true,
		Doc:       "Whether digits pass the Luhn test, as card numbers do.",
		Example:   "luhn_check('79927398713') → true",
		Overloads: []Overload{{Sig: "(varchar) -> boolean", Eval: lift1(luhn)}},
	},
}

// runeOffset is the byte offset of the n-th character, from 0; len(s) if there are fewer.
func runeOffset(s string, n int64) int {
	if n >= int64(len(s)) {
		n = min(n, int64(utf8.RuneCountInString(s)))
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// span turns a start from 1, or from the end if negative, and a length into a range of 0…n.
func span(start, length, n int64) (from, to int64) {
	if start < 0 {
		start += n + 1
	}
	if start < 1 || start > n || length <= 0 {
		return 0, 0
	}
	return start - 1, start - 1 + min(length, n-start+1)
}

func substr(s string, start, length int64) string {
	n := int64(len(s))
	if start < 0 || start > n { // only these need the length in characters
		n = int64(utf8.RuneCountInString(s))
	}
	from, to := span(start, length, n)
	i := runeOffset(s, from)
	return s[i : i+runeOffset(s[i:], to-from)]
}

func subBytes(b []byte, start, length int64) []byte {
	from, to := span(start, length, int64(len(b)))
	return b[from:to]
}

// replace appends s with old replaced; an empty old matches before each character and at the end.
func replace(dst []byte, s, old, new string) ([]byte, error) {
	if grown := len(s) / max(1, len(old)) * len(new); grown > maxText {
		return nil, tooMuchText()
	}
	if old == "" {
		for _, r := range s {
			dst = utf8.AppendRune(append(dst, new...), r)
		}
		return append(dst, new...), nil
	}
	for {
		i := strings.Index(s, old)
		if i < 0 {
			return append(dst, s...), nil
		}
		dst = append(append(dst, s[:i]...), new...)
		s = s[i+len(old):]
	}
}

func concatTexts(c *Call) (arrow.Array, error) {
	cols := make([]column[string], len(c.Args))
	for i := range cols {
		cols[i] = arg[string](c, i)
	}
	return appendRows(c, func(dst []byte, row int) ([]byte, error) {
		for _, col := range cols {
			dst = append(dst, col.at(row)...)
		}
		return dst, nil
	})
}

func concatBinaries(c *Call) (arrow.Array, error) {
	cols := make([]column[[]byte], len(c.Args))
	for i := range cols {
		cols[i] = arg[[]byte](c, i)
	}
	return appendRows(c, func(dst []byte, row int) ([]byte, error) {
		for _, col := range cols {
			dst = append(dst, col.at(row)...)
		}
		return dst, nil
	})
}

// isNull reports whether argument i is NULL in a row.
func (c *Call) isNull(i, row int) bool {
	if c.Args[i].Const {
		row = 0
	}
	return !vec.IsValid(c.Args[i].Arr, row)
}

func concatWS(c *Call) (arrow.Array, error) {
	cols := make([]column[string], len(c.Args))
	for i := range cols {
		cols[i] = arg[string](c, i)
	}
	w, nulls := newTextWriter(c.Len), nullRows(c.Args[:1], c.Len)
	for row := range c.Len {
		first := true
		for i := 1; i < len(cols) && (nulls == nil || !nulls[row]); i++ {
			if c.isNull(i, row) {
				continue
			}
			if !first {
				w.data = append(w.data, cols[0].at(row)...)
			}
			first = false
			w.data = append(w.data, cols[i].at(row)...)
		}
		if !w.end() {
			break
		}
	}
	return w.array(c.Result, nulls)
}

// splitPartText is split_part.
var splitPartText = pieces(lift3(splitPart), func(c *Call, _ *textColumn) func(string) (string, bool) {
	delimiter, n := arg[string](c, 1).at(0), arg[int64](c, 2).at(0)
	if n <= 0 {
		return nil // if no row is there to fail, it is no error
	}
	return func(s string) (string, bool) {
		part, err := splitPart(s, delimiter, n)
		return part, err == nil
	}
})

func splitPart(s, delimiter string, n int64) (string, error) {
	if n <= 0 {
		return "", valueError("the index of split_part must be greater than zero")
	}
	if delimiter == "" {
		if n > int64(utf8.RuneCountInString(s)) {
			return "", errNull
		}
		return substr(s, n, 1), nil
	}
	for ; n > 1; n-- {
		_, rest, found := strings.Cut(s, delimiter)
		if !found {
			return "", errNull
		}
		s = rest
	}
	part, _, _ := strings.Cut(s, delimiter)
	return part, nil
}

// textLists builds an array(varchar) column.
type textLists struct {
	elements *textWriter
	nulls    []bool // of the elements
	offsets  []int32
}

func newTextLists(n int) *textLists {
	return &textLists{elements: newTextWriter(n), offsets: append(make([]int32, 0, n+1), 0)}
}

// add adds an element to the row at hand; false if there are too many.
func (l *textLists) add(s string, null bool) bool {
	l.elements.data = append(l.elements.data, s...)
	l.nulls = append(l.nulls, null)
	return l.elements.end() && len(l.nulls) <= maxElements
}

func (l *textLists) end() { l.offsets = append(l.offsets, int32(len(l.nulls))) }

func (l *textLists) array(t sqltype.Type, nulls []bool) (arrow.Array, error) {
	elements, err := l.elements.array(*t.Elem, l.nulls)
	if err != nil {
		return nil, err
	}
	return listArray(t, l.offsets, elements, nulls), nil
}

func split(c *Call) (arrow.Array, error) {
	s, delimiter, nulls, lists := arg[string](c, 0), arg[string](c, 1), c.nulls(), newTextLists(c.Len)
	limits := column[int64]{[]int64{math.MaxInt64}, 0}
	if len(c.Args) == 3 {
		limits = arg[int64](c, 2)
	}
	for i := range c.Len {
		if nulls != nil && nulls[i] {
			lists.end()
			continue
		}
		rest, d, limit := s.at(i), delimiter.at(i), limits.at(i)
		if d == "" {
			return nil, valueError("the delimiter of split must not be empty")
		}
		if limit <= 0 {
			return nil, valueError("the limit of split must be greater than zero")
		}
		for found := true; found; limit-- {
			part := rest
			found = false
			if limit > 1 {
				part, rest, found = strings.Cut(rest, d)
			}
			if !lists.add(part, false) {
				return nil, tooMuchText()
			}
		}
		lists.end()
	}
	return lists.array(c.Result, nulls)
}

func splitToMap(c *Call) (arrow.Array, error) {
	text, entryDelimiter, keyDelimiter, nulls := arg[string](c, 0), arg[string](c, 1), arg[string](c, 2), c.nulls()
	keys, values := newTextWriter(c.Len), newTextWriter(c.Len)
	offsets := append(make([]int32, 0, c.Len+1), 0)
	seen := map[string]bool{}
	for i := range c.Len {
		if rest := text.at(i); rest != "" && (nulls == nil || !nulls[i]) {
			if entryDelimiter.at(i) == "" || keyDelimiter.at(i) == "" || entryDelimiter.at(i) == keyDelimiter.at(i) {
				return nil, valueError("split_to_map takes two delimiters that differ and are not empty")
			}
			clear(seen)
			for more := true; more && rest != ""; {
				var entry string
				entry, rest, more = strings.Cut(rest, entryDelimiter.at(i))
				key, value, found := strings.Cut(entry, keyDelimiter.at(i))
				if !found || strings.Contains(value, keyDelimiter.at(i)) {
					return nil, valueError("%s is not a key and a value", shown(entry))
				}
				if seen[key] {
					return nil, valueError("the key %s occurs twice", shown(key))
				}
				seen[key] = true
				keys.data, values.data = append(keys.data, key...), append(values.data, value...)
				if !keys.end() || !values.end() {
					return nil, tooMuchText()
				}
			}
		}
		offsets = append(offsets, int32(len(keys.offsets)-1))
	}
	keyArray, err := keys.array(sqltype.VarcharType, nil)
	if err != nil {
		return nil, err
	}
	valueArray, err := values.array(sqltype.VarcharType, nil)
	if err != nil {
		return nil, err
	}
	return mapArray(c.Result, offsets, keyArray, valueArray, nulls), nil
}

// runePosition is the position, from 1, of the character at a byte offset; 0 for an offset below 0.
func runePosition(s string, offset int) int64 {
	if offset < 0 {
		return 0
	}
	return int64(utf8.RuneCountInString(s[:offset])) + 1
}

func strpos(s, sub string, n int64) (int64, error) {
	switch {
	case n == 0:
		return 0, valueError("the occurrence that strpos looks for is counted from 1, or from the end below 0")
	case sub == "":
		return 1, nil
	case n > 0: // occurrences may overlap
		at := -1
		for ; n > 0; n-- {
			next := strings.Index(s[at+1:], sub)
			if next < 0 {
				return 0, nil
			}
			at += 1 + next
		}
		return runePosition(s, at), nil
	}
	at := len(s)
	for ; n < 0; n++ {
		if at = strings.LastIndex(s[:min(len(s), at+len(sub)-1)], sub); at < 0 {
			return 0, nil
		}
	}
	return runePosition(s, at), nil
}

func reverseText(dst []byte, s string) ([]byte, error) {
	for len(s) > 0 {
		_, size := utf8.DecodeLastRuneInString(s)
		dst = append(dst, s[len(s)-size:]...)
		s = s[:len(s)-size]
	}
	return dst, nil
}

// titleCase takes runs of letters and digits as words.
func titleCase(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		first := !inWord
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
		if first {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

// padding appends n characters of fill, repeated.
func padding(dst []byte, n int64, fill string) []byte {
	for n > 0 {
		part := fill[:runeOffset(fill, n)]
		dst = append(dst, part...)
		n -= int64(utf8.RuneCountInString(part))
	}
	return dst
}

// missing is how many characters (or bytes) a value of length lacks to size; it checks the other arguments of lpad and rpad too.
func missing(length int, size int64, noFill bool) (int64, error) {
	switch {
	case size < 0 || size > math.MaxInt32:
		return 0, valueError("the length to pad to must be between 0 and %d", math.MaxInt32)
	case noFill:
		return 0, valueError("the text to pad with must not be empty")
	case size > maxText:
		return 0, tooMuchText()
	}
	return size - int64(length), nil
}

func lpad(dst []byte, s string, size int64, fill string) ([]byte, error) {
	n, err := missing(utf8.RuneCountInString(s), size, fill == "")
	if err != nil {
		return nil, err
	}
	return append(padding(dst, n, fill), s[:runeOffset(s, size)]...), nil
}

func rpad(dst []byte, s string, size int64, fill string) ([]byte, error) {
	n, err := missing(utf8.RuneCountInString(s), size, fill == "")
	if err != nil {
		return nil, err
	}
	return padding(append(dst, s[:runeOffset(s, size)]...), n, fill), nil
}

func lpadBytes(dst, b []byte, size int64, fill []byte) ([]byte, error) {
	n, err := missing(len(b), size, len(fill) == 0)
	if err != nil {
		return nil, err
	}
	return append(paddingBytes(dst, n, fill), b[:min(int64(len(b)), size)]...), nil
}

func rpadBytes(dst, b []byte, size int64, fill []byte) ([]byte, error) {
	n, err := missing(len(b), size, len(fill) == 0)
	if err != nil {
		return nil, err
	}
	return paddingBytes(append(dst, b[:min(int64(len(b)), size)]...), n, fill), nil
}

// paddingBytes appends n bytes of fill, repeated.
func paddingBytes(dst []byte, n int64, fill []byte) []byte {
	for n > 0 {
		part := fill[:min(int64(len(fill)), n)]
		dst = append(dst, part...)
		n -= int64(len(part))
	}
	return dst
}

// levenshtein is the edit distance by the usual table, of which one row is kept.
func levenshtein(a, b string) (int64, error) {
	x, y := []rune(a), []rune(b)
	if len(x)*len(y) > 1_000_000 {
		return 0, valueError("levenshtein_distance takes texts whose lengths multiply to at most a million")
	}
	row := make([]int64, len(y)+1)
	for j := range row {
		row[j] = int64(j)
	}
	for i := range x {
		diagonal := row[0]
		row[0] = int64(i) + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(y)], nil
}

func hamming(a, b string) (int64, error) {
	x, y := []rune(a), []rune(b)
	if len(x) != len(y) {
		return 0, valueError("hamming_distance takes texts of equal length")
	}
	n := int64(0)
	for i := range x {
		if x[i] != y[i] {
			n++
		}
	}
	return n, nil
}

func translate(dst []byte, s, from, to string) ([]byte, error) {
	fromRunes, toRunes := []rune(from), []rune(to)
	for _, r := range s {
		k := slices.Index(fromRunes, r)
		switch {
		case k < 0:
			dst = utf8.AppendRune(dst, r)
		case k < len(toRunes):
			dst = utf8.AppendRune(dst, toRunes[k])
		}
	}
	return dst, nil
}

// soundex follows the American Soundex rules: h and w do not separate equal codes, vowels do.
func soundex(s string) (string, error) {
	const codes = "01230120022455012623010202" // of A to Z
	out := make([]byte, 0, 4)
	var last byte
	for _, c := range []byte(strings.ToUpper(s)) {
		if c < 'A' || c > 'Z' {
			return "", valueError("soundex takes English letters only, not %s", shown(s))
		}
		code := codes[c-'A']
		switch {
		case len(out) == 0:
			out = append(out, c)
		case code != '0' && code != last && len(out) < 4:
			out = append(out, code)
		}
		if c != 'H' && c != 'W' {
			last = code
		}
	}
	for len(out) > 0 && len(out) < 4 {
		out = append(out, '0')
	}
	return string(out), nil
}

func luhn(s string) (bool, error) {
	if s == "" {
		return false, valueError("luhn_check takes digits")
	}
	sum := 0
	for i := range len(s) {
		digit := int(s[len(s)-1-i]) - '0'
		if digit < 0 || digit > 9 {
			return false, valueError("luhn_check takes digits, not %s", shown(s))
		}
		if i%2 == 1 {
			digit *= 2
			digit -= digit / 10 * 9
		}
		sum += digit
	}
	return sum%10 == 0, nil
}

// randomUUID is a UUID of version 4 (RFC 9562).
func randomUUID() []byte {
	b := make([]byte, 0, 16)
	b = binary.BigEndian.AppendUint64(b, rand.Uint64()&^0xf000|0x4000)
	return binary.BigEndian.AppendUint64(b, rand.Uint64()&^(3<<62)|2<<62)
}
