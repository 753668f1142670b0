package fn

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Patterns are RE2's, so time is linear in the text; back references and look-around, which Trino's Java syntax
// has, are errors that say so. Named groups are written (?<name>…) or (?P<name>…).

var regexpFunctions = []*Function{
	{
		Name: "regexp_like", Category: regexps, CanFail: true, FailsByConstants: true,
		Doc:       "Whether the pattern matches anywhere in the text.",
		Example:   `regexp_like('1a 2b 14m', '\d+b') → true`,
		Overloads: []Overload{{Sig: "(varchar, varchar) -> boolean", Eval: overPattern(func(re *regexp.Regexp, s string) (bool, error) { return re.MatchString(s), nil })}},
	},
	{
		Name: "regexp_extract", Category: regexps, CanFail: true,
		Doc:     "The first match of the pattern, or of one of its groups; NULL if there is none.",
		Example: `regexp_extract('1a 2b 14m', '(\d+)([a-z]+)', 2) → 'a'`,
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> varchar", Eval: regexpExtract},
			{Sig: "(varchar, varchar, bigint) -> varchar", Eval: regexpExtract},
		},
	},
	{
		Name: "regexp_extract_all", Category: regexps, CanFail: true,
		Doc:     "All matches of the pattern, or of one of its groups, as an array.",
		Example: `regexp_extract_all('1a 2b 14m', '\d+') → array['1', '2', '14']`,
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> array(varchar)", Eval: regexpExtractAll},
			{Sig: "(varchar, varchar, bigint) -> array(varchar)", Eval: regexpExtractAll},
		},
	},
	{
		Name: "regexp_replace", Category: regexps, CanFail: true,
		Doc: "The text with every match removed or replaced; $1 and ${name} in the replacement stand for groups, \\$ for a dollar sign. " +
			"A lambda makes the replacement of an array of the groups.",
		Example: `regexp_replace('1a 2b', '(\d+)([a-z])', '$2$1') → 'a1 b2'`,
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> varchar", Eval: regexpReplace},
			{Sig: "(varchar, varchar, varchar) -> varchar", Eval: regexpReplace},
			{Sig: "(varchar, varchar, function(array(varchar), varchar)) -> varchar", Eval: regexpReplaceBy},
		},
	},
	{
		Name: "regexp_split", Category: regexps, CanFail: true,
		Doc:       "The parts of the text between the matches.",
		Example:   `regexp_split('1a 2b 14m', '\s*[a-z]+\s*') → array['1', '2', '14', '']`,
		Overloads: []Overload{{Sig: "(varchar, varchar) -> array(varchar)", Eval: regexpSplit}},
	},
	{
		Name: "regexp_count", Category: regexps, CanFail: true,
		Doc:     "How often the pattern matches.",
		Example: `regexp_count('1a 2b 14m', '[a-z]') → 3`,
		Overloads: []Overload{{Sig: "(varchar, varchar) -> bigint", Eval: overPattern(func(re *regexp.Regexp, s string) (int64, error) {
			found, err := allMatches(re, s)
			return int64(len(found)), err
		})}},
	},
	{
		Name: "regexp_position", Category: regexps, CanFail: true,
		Doc:     "The position, in characters from 1, of the n-th match from a start; -1 if there is none.",
		Example: `regexp_position('1a 2b 14m', 'b') → 5`,
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> bigint", Eval: regexpPosition},
			{Sig: "(varchar, varchar, bigint) -> bigint", Eval: regexpPosition},
			{Sig: "(varchar, varchar, bigint, bigint) -> bigint", Eval: regexpPosition},
		},
	},
}

// maxProgram is how many instructions a compiled pattern may have; (a{1000}){1000} must not fill the memory.
const maxProgram = 20_000

// backReference matches \1 and \k<name>; in \\1 the backslash is a character.
var backReference = regexp.MustCompile(`^(?:[^\\]|\\[^1-9k])*\\(?:[1-9]|k<)`)

func compileRegexp(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > 1<<16 {
		return nil, sqlerr.New(sqlerr.Resource, 0, "a regular expression of %d bytes is too long", len(pattern))
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		// What Java's regular expressions have beyond RE2's.
		if strings.Contains(pattern, "(?=") || strings.Contains(pattern, "(?!") || strings.Contains(pattern, "(?<!") || strings.Contains(pattern, "(?<=") {
			return nil, sqlerr.New(sqlerr.Unknown, 0, "regular expressions have no look-ahead and look-behind here: %s", shown(pattern)).
				WithHint("write several conditions: regexp_like(x, …) AND NOT regexp_like(x, …)")
		}
		if backReference.MatchString(pattern) {
			return nil, sqlerr.New(sqlerr.Unknown, 0, "regular expressions have no back-references here: %s", shown(pattern))
		}
		return nil, valueError("%s is not a regular expression: %s", shown(pattern), regexpMistake(err))
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxProgram {
		return nil, sqlerr.New(sqlerr.Resource, 0, "the regular expression %s is too large", shown(pattern))
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, valueError("%s is not a regular expression: %s", shown(pattern), regexpMistake(err))
	}
	return re, nil
}

// regexpMistake is the part of a compile error that says what is wrong and where.
func regexpMistake(err error) string {
	var e *syntax.Error
	if errors.As(err, &e) {
		return e.Code.String() + " in " + shown(e.Expr)
	}
	return err.Error()
}

// overPattern lifts a function of a pattern and a text.
func overPattern[R any](f func(re *regexp.Regexp, s string) (R, error)) body {
	return func(c *Call) (arrow.Array, error) {
		text, patternAt := arg[string](c, 0), compiled(c, 1, compileRegexp)
		return eachRow(c, func(i int) (R, error) {
			re, err := patternAt(i)
			if err != nil {
				var none R
				return none, err
			}
			return f(re, text.at(i))
		})
	}
}

// groups is the number of the group that each row asks for: argument 2, or 0 for the whole match.
func groups(c *Call) column[int64] {
	if len(c.Args) < 3 {
		return column[int64]{[]int64{0}, 0}
	}
	return arg[int64](c, 2)
}

func checkGroup(re *regexp.Regexp, group int64) error {
	if group < 0 || group > int64(re.NumSubexp()) {
		return valueError("the pattern has %d groups, there is no group %d", re.NumSubexp(), group)
	}
	return nil
}

func regexpExtract(c *Call) (arrow.Array, error) {
	text, patternAt, group := arg[string](c, 0), compiled(c, 1, compileRegexp), groups(c)
	return eachRow(c, func(i int) (string, error) {
		re, err := patternAt(i)
		if err == nil {
			err = checkGroup(re, group.at(i))
		}
		if err != nil {
			return "", err
		}
		s, g := text.at(i), group.at(i)
		if g == 0 {
			if at := re.FindStringIndex(s); at != nil {
				return s[at[0]:at[1]], nil
			}
			return "", errNull
		}
		at := re.FindStringSubmatchIndex(s)
		if at == nil || at[2*g] < 0 {
			return "", errNull
		}
		return s[at[2*g]:at[2*g+1]], nil
	})
}

// maxMatches bounds what is held of one text: the places of a match take some 60 bytes.
const maxMatches = 1 << 21

// allMatches are the places of all matches in s and of their groups, as regexp.FindStringSubmatchIndex has them.
func allMatches(re *regexp.Regexp, s string) ([][]int, error) {
	found := re.FindAllStringSubmatchIndex(s, maxMatches+1)
	if len(found) > maxMatches {
		return nil, sqlerr.New(sqlerr.Resource, 0, "the pattern matches more than %d times in one text", maxMatches)
	}
	return found, nil
}

func regexpExtractAll(c *Call) (arrow.Array, error) {
	text, patternAt, group, nulls, lists := arg[string](c, 0), compiled(c, 1, compileRegexp), groups(c), c.nulls(), newTextLists(c.Len)
	for i := range c.Len {
		if nulls == nil || !nulls[i] {
			re, err := patternAt(i)
			if err == nil {
				err = checkGroup(re, group.at(i))
			}
			if err != nil {
				return nil, err
			}
			s, g := text.at(i), group.at(i)
			found, err := allMatches(re, s)
			if err != nil {
				return nil, err
			}
			for _, at := range found {
				from, to := at[2*g], at[2*g+1]
				if !lists.add(s[max(0, from):max(0, to)], from < 0) {
					return nil, tooMuchText()
				}
			}
		}
		lists.end()
	}
	return lists.array(c.Result, nulls)
}

func regexpSplit(c *Call) (arrow.Array, error) {
	text, patternAt, nulls, lists := arg[string](c, 0), compiled(c, 1, compileRegexp), c.nulls(), newTextLists(c.Len)
	for i := range c.Len {
		if nulls == nil || !nulls[i] {
			re, err := patternAt(i)
			if err != nil {
				return nil, err
			}
			s, start := text.at(i), 0
			found, err := allMatches(re, s)
			if err != nil {
				return nil, err
			}
			for _, at := range found {
				if !lists.add(s[start:at[0]], false) {
					return nil, tooMuchText()
				}
				start = at[1]
			}
			if !lists.add(s[start:], false) {
				return nil, tooMuchText()
			}
		}
		lists.end()
	}
	return lists.array(c.Result, nulls)
}

// replacement is the third argument of regexp_replace: text, then the group after it (-1 for none), and so on.
type replacement []struct {
	text  string
	group int
}

// readReplacement reads Java's syntax: $1 (as many digits as make a group that exists), ${name}, \x for x.
func readReplacement(s string, re *regexp.Regexp) (replacement, error) {
	var r replacement
	var b strings.Builder
	add := func(group int) {
		r = append(r, struct {
			text  string
			group int
		}{b.String(), group})
		b.Reset()
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			if i++; i == len(s) {
				return nil, valueError("the replacement %s ends in a single backslash", shown(s))
			}
			b.WriteByte(s[i])
		case s[i] != '$':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '{':
			name, _, closed := strings.Cut(s[i+2:], "}")
			group := re.SubexpIndex(name)
			if n, err := strconv.Atoi(name); err == nil && n <= re.NumSubexp() {
				group = n
			}
			if !closed || group < 0 {
				return nil, valueError("the replacement %s names a group that the pattern does not have", shown(s))
			}
			add(group)
			i += len(name) + 2
		case i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			group := int(s[i+1] - '0')
			if group > re.NumSubexp() {
				return nil, valueError("the replacement %s names group %d, the pattern has %d", shown(s), group, re.NumSubexp())
			}
			for i++; i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' && group*10+int(s[i+1]-'0') <= re.NumSubexp(); i++ {
				group = group*10 + int(s[i+1]-'0')
			}
			add(group)
		default:
			return nil, valueError(`a dollar sign in the replacement %s stands before no group; write \$ for the sign itself`, shown(s))
		}
	}
	add(-1)
	return r, nil
}

func regexpReplace(c *Call) (arrow.Array, error) {
	text, patternAt := arg[string](c, 0), compiled(c, 1, compileRegexp)
	with := column[string]{[]string{""}, 0}
	if len(c.Args) == 3 {
		with = arg[string](c, 2)
	}
	var lastPattern *regexp.Regexp
	var lastText string
	var parts replacement
	return appendRows(c, func(dst []byte, i int) ([]byte, error) {
		re, err := patternAt(i)
		if err != nil {
			return nil, err
		}
		if re != lastPattern || with.at(i) != lastText {
			if parts, err = readReplacement(with.at(i), re); err != nil {
				return nil, err
			}
			lastPattern, lastText = re, with.at(i)
		}
		s, start := text.at(i), 0
		found, err := allMatches(re, s)
		if err != nil {
			return nil, err
		}
		for _, at := range found {
			dst = append(dst, s[start:at[0]]...)
			for _, p := range parts {
				dst = append(dst, p.text...)
				if p.group >= 0 && at[2*p.group] >= 0 {
					dst = append(dst, s[at[2*p.group]:at[2*p.group+1]]...)
				}
			}
			if len(dst) > maxText {
				return nil, tooMuchText()
			}
			start = at[1]
		}
		return append(dst, s[start:]...), nil
	})
}

// regexpReplaceBy calls the lambda once for the matches of all rows. A replacement that is NULL makes the row NULL.
func regexpReplaceBy(c *Call) (arrow.Array, error) {
	text, patternAt, nulls, groups := arg[string](c, 0), compiled(c, 1, compileRegexp), c.nulls(), newTextLists(c.Len)
	var rows []int32       // of each match
	var from, to []int     // its place
	ends := make([]int, 0) // the number of matches up to each row
	for i := range c.Len {
		if nulls == nil || !nulls[i] {
			re, err := patternAt(i)
			if err != nil {
				return nil, err
			}
			s := text.at(i)
			found, err := allMatches(re, s)
			if err != nil {
				return nil, err
			}
			for _, at := range found {
				for g := 2; g < len(at); g += 2 {
					if !groups.add(s[max(0, at[g]):max(0, at[g+1])], at[g] < 0) {
						return nil, tooMuchText()
					}
				}
				groups.end()
				rows, from, to = append(rows, int32(i)), append(from, at[0]), append(to, at[1])
			}
		}
		ends = append(ends, len(rows))
	}
	lists, err := groups.array(sqltype.ArrayOf(sqltype.VarcharType), nil)
	if err != nil {
		return nil, err
	}
	with, err := c.Lambdas[0]([]arrow.Array{lists}, rows)
	if err != nil {
		return nil, err
	}
	replacements, match := texts(with), 0
	return appendRows(c, func(dst []byte, i int) ([]byte, error) {
		if i > 0 {
			match = ends[i-1]
		}
		s, start := text.at(i), 0
		for ; match < ends[i]; match++ {
			if !vec.IsValid(with, match) {
				return nil, errNull
			}
			dst = append(append(dst, s[start:from[match]]...), replacements[match]...)
			if len(dst) > maxText {
				return nil, tooMuchText()
			}
			start = to[match]
		}
		return append(dst, s[start:]...), nil
	})
}

func regexpPosition(c *Call) (arrow.Array, error) {
	text, patternAt := arg[string](c, 0), compiled(c, 1, compileRegexp)
	starts, occurrences := column[int64]{[]int64{1}, 0}, column[int64]{[]int64{1}, 0}
	if len(c.Args) > 2 {
		starts = arg[int64](c, 2)
	}
	if len(c.Args) > 3 {
		occurrences = arg[int64](c, 3)
	}
	return eachRow(c, func(i int) (int64, error) {
		re, err := patternAt(i)
		if err != nil {
			return 0, err
		}
		s, start, n := text.at(i), starts.at(i), occurrences.at(i)
		if start < 1 || n < 1 {
			return 0, valueError("the start and the occurrence of regexp_position are counted from 1")
		}
		from := int64(runeOffset(s, start-1))
		if start > int64(utf8.RuneCountInString(s)) {
			return -1, nil
		}
		found, err := allMatches(re, s)
		if err != nil {
			return 0, err
		}
		for _, at := range found {
			if int64(at[0]) < from {
				continue
			}
			if n--; n == 0 {
				return runePosition(s, at[0]), nil
			}
		}
		return -1, nil
	})
}
