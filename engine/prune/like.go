package prune

import (
	"strings"
	"unicode/utf8"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// like judges value LIKE pattern [ESCAPE escape] by the text that the pattern begins with.
func like(e *expr.Call, s Stats) outcomes {
	var texts [2]string
	for i, arg := range e.Args[1:] {
		literal, ok := arg.(*expr.Literal)
		if !ok || literal.T.Kind != sqltype.Varchar || literal.Value.IsNull(0) {
			return anything
		}
		texts[i] = vec.Value(literal.Value, 0).(string)
	}
	prefix, rest, ok := likePrefix(texts[0], texts[1], len(e.Args) == 3)
	value := spanOf(e.Args[0], s)
	if !ok || e.Args[0].Type().Kind != sqltype.Varchar {
		return anything
	}
	if rest == "" {
		return compare(expr.Eq, value, point(prefix))
	}
	out := outcomes{yes: value.value, no: value.value, null: value.null}
	min, minKnown := value.min.(string)
	max, maxKnown := value.max.(string)
	if minKnown && min > prefix && !strings.HasPrefix(min, prefix) || maxKnown && max < prefix {
		out.yes = false
	}
	// All texts between two that begin with the prefix begin with it too.
	within := prefix == "" || minKnown && maxKnown && strings.HasPrefix(min, prefix) && strings.HasPrefix(max, prefix)
	if strings.Trim(rest, "%") == "" && within {
		out.no = false
	}
	return out
}

// likePrefix splits a pattern into the text before its first wildcard and the rest from there; ok is false for a bad escape.
func likePrefix(pattern, escape string, escaped bool) (prefix, rest string, ok bool) {
	if escaped && utf8.RuneCountInString(escape) != 1 {
		return "", "", false
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if escaped && strings.HasPrefix(pattern[i:], escape) {
			i += len(escape)
			next := pattern[i:]
			if next == "" || next[0] != '%' && next[0] != '_' && !strings.HasPrefix(next, escape) {
				return "", "", false
			}
			_, n := utf8.DecodeRuneInString(next)
			b.WriteString(next[:n])
			i += n - 1
			continue
		}
		if pattern[i] == '%' || pattern[i] == '_' {
			return b.String(), pattern[i:], true
		}
		b.WriteByte(pattern[i])
	}
	return b.String(), "", true
}
