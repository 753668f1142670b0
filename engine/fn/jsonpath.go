package fn

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonPath is a path such as $.items[0]["a key"].name; [*] and .* stand for all elements or members.
type jsonPath []jsonStep

// jsonStep goes down one level: into the member named key, or the element at index if the key is a number.
type jsonStep struct {
	key   string
	index int // -1 if key is no number
	all   bool
}

// parseJSONPath reads a path. Keys after a dot may hold anything but dots, brackets and quotes.
func parseJSONPath(s string) (jsonPath, error) {
	bad := func(why string) error { return valueError("%s is not a JSON path: %s", shown(s), why) }
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), "$")
	if !ok {
		return nil, bad("it must start with $")
	}
	var p jsonPath
	for rest != "" {
		var key string
		quoted := false
		switch {
		case rest[0] == '.':
			rest = rest[1:]
			if rest != "" && rest[0] == '"' { // $."a key"
				if key, rest, ok = pathQuoted(rest); !ok {
					return nil, bad("a quote has no end")
				}
				quoted = true
				break
			}
			end := strings.IndexAny(rest, `.[]"'`)
			if end < 0 {
				end = len(rest)
			}
			key, rest = rest[:end], rest[end:]
			if key == "" {
				return nil, bad("a key is empty")
			}
		case rest[0] == '[' && len(rest) > 1 && (rest[1] == '"' || rest[1] == '\''):
			if key, rest, ok = pathQuoted(rest[1:]); !ok {
				return nil, bad("a quote has no end")
			}
			if rest, ok = strings.CutPrefix(rest, "]"); !ok {
				return nil, bad("a bracket is not closed")
			}
			quoted = true
		case rest[0] == '[':
			if key, rest, ok = strings.Cut(rest[1:], "]"); !ok || key == "" {
				return nil, bad("a bracket is not closed or empty")
			}
		default:
			return nil, bad("after $ or a key comes a dot or a bracket")
		}
		step := jsonStep{key: key, index: -1}
		if !quoted {
			step.all = key == "*"
			if n, err := strconv.Atoi(key); err == nil && n >= 0 {
				step.index = n
			}
		}
		p = append(p, step)
	}
	return p, nil
}

// pathQuoted reads a key in quotes; a backslash takes the next character as it is.
func pathQuoted(s string) (key, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// plural reports whether the path may find more than one value.
func (p jsonPath) plural() bool {
	for _, step := range p {
		if step.all {
			return true
		}
	}
	return false
}

// find returns where the value that the path leads to starts, -1 if there is none. Of equal keys the first counts.
func (p jsonPath) find(s string) int {
	i := jsonSpace(s, 0)
	for _, step := range p {
		if i = step.into(s, i); i < 0 {
			return -1
		}
	}
	if i >= len(s) {
		return -1
	}
	return i
}

// into steps from the value at i to the one the step names.
func (step jsonStep) into(s string, i int) int {
	switch {
	case i >= len(s):
	case s[i] == '{':
		at := i + 1
		for first := true; ; first = false {
			key, value, _ := jsonMember(s, at, first)
			if value < 0 {
				return -1
			}
			if jsonKeyIs(key, step.key) {
				return value
			}
			if at = jsonEnd(s, value); at < 0 {
				return -1
			}
		}
	case s[i] == '[' && step.index >= 0:
		at := i + 1
		for n := 0; ; n++ {
			value, _ := jsonElement(s, at, n == 0)
			if value < 0 || n == step.index {
				return value
			}
			if at = jsonEnd(s, value); at < 0 {
				return -1
			}
		}
	}
	return -1
}

// jsonKeyIs compares a quoted key with a name.
func jsonKeyIs(quoted, name string) bool {
	inner := quoted[1 : len(quoted)-1]
	if inner == "" || name == "" {
		return inner == name
	}
	if inner[0] != name[0] && inner[0] != '\\' { // most keys
		return false
	}
	if len(inner) < len(name) || strings.IndexByte(inner, '\\') < 0 { // an escape is longer than what it stands for
		return inner == name
	}
	text, ok := jsonUnquote(quoted)
	return ok && text == name
}

// jsonKeyMayFold reports whether a quoted key may be the name but for case: false if their first characters say that it is not.
func jsonKeyMayFold(quoted, name string) bool {
	if len(quoted) < 3 || name == "" || quoted[1] >= utf8.RuneSelf || name[0] >= utf8.RuneSelf {
		return true
	}
	return quoted[1] == '\\' || smallLetter(quoted[1]) == smallLetter(name[0])
}

func smallLetter(c byte) byte {
	if c-'A' < 26 {
		c += 'a' - 'A'
	}
	return c
}

// each calls found with the start of every value that the path leads to, in the order of the text; false says that
// the text is no JSON on the way.
func (p jsonPath) each(s string, i int, found func(i int) bool) bool {
	if len(p) == 0 {
		return found(i)
	}
	if !p[0].all {
		i = p[0].into(s, i)
		return i < 0 || p[1:].each(s, i, found)
	}
	if i >= len(s) || s[i] != '{' && s[i] != '[' {
		return true
	}
	at := i + 1
	for first := true; ; first = false {
		var value int
		var last bool
		if s[i] == '{' {
			_, value, last = jsonMember(s, at, first)
		} else {
			value, last = jsonElement(s, at, first)
		}
		if value < 0 {
			return last
		}
		if at = jsonEnd(s, value); at < 0 || !p[1:].each(s, value, found) {
			return false
		}
	}
}
