package shell

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"github.com/reeflective/readline"
)

// completer answers the editor, which replaces what stands between a prefix of its own and the cursor.
func (s *Session) completer(line []rune, cursor int) readline.Completions {
	text, after := string(line[:cursor]), string(line[cursor:])
	if text == "" && after != "" {
		return readline.Completions{} // the editor would take the word behind the cursor for the prefix
	}
	from, list := complete(text, after, s.names)
	prefix := text[from:]
	// The editor counts a prefix in bytes where it means characters, so what is not ASCII stays out of it. An empty one
	// means to it the word before the cursor, so that a character more is taken and given back.
	cut := 0
	for i, r := range prefix {
		if r >= utf8.RuneSelf {
			cut = i + utf8.RuneLen(r)
		}
	}
	lead := ""
	if prefix[cut:] == "" && from+cut > 0 {
		if r, _ := utf8.DecodeLastRuneInString(text[:from+cut]); r >= utf8.RuneSelf {
			return readline.Completions{}
		} else if !unicode.IsSpace(r) {
			lead = string(r)
		}
	}
	list = slices.DeleteFunc(list, func(c candidate) bool { return len(c.text) < cut })
	width, height := s.config.Size()
	list, lists := menu(list, len(prefix), width, height/2)
	var raw []readline.Completion
	docs := map[string]int{}
	for _, c := range list {
		k := readline.Completion{Value: lead + c.text[cut:], Display: c.text, Tag: c.kind, Description: c.doc}
		if c.doc != "" {
			// The editor takes equal descriptions for one thing under several names and would put them on one line.
			docs[c.doc]++
			k.Description += strings.Repeat("\x1b[m", docs[c.doc]-1)
		}
		raw = append(raw, k)
	}
	completions := readline.CompleteRaw(raw).NoSort()
	completions.PREFIX = lead + prefix[cut:]
	return completions.DisplayList(lists...)
}

// menu cuts candidates to what a part of the screen can show, since the editor does not know where on it the cursor is, and
// says in their heads how many there are. lists are the heads of those that take a line each. The editor writes what those
// that it is given share; where some are cut, that is still what all share, beyond the bytes that are typed.
func menu(all []candidate, typed, width, rows int) (shown []candidate, lists []string) {
	cut := false
	for list := all; len(list) > 0; {
		kind := list[0].kind
		var group, others []candidate
		described, widest := false, 1
		for _, c := range list {
			if c.kind != kind {
				others = append(others, c)
				continue
			}
			group = append(group, c)
			described = described || c.doc != ""
			widest = max(widest, runewidth.StringWidth(c.text)+2)
		}
		list = others
		if kind != "values" { // they come the most frequent first
			slices.SortStableFunc(group, func(a, b candidate) int { return strings.Compare(strings.ToLower(a.text), strings.ToLower(b.text)) })
		}
		each := 1
		if !described {
			each = max(width/widest, 1)
		}
		room := max(rows-1, 0) * each
		if len(group) > room {
			head := fmt.Sprintf("%s, %d of %d", kind, room, len(group))
			cut, group = true, group[:room]
			for i := range group {
				group[i].kind = head
			}
			kind = head
		}
		rows -= 1 + (len(group)+each-1)/each
		if described {
			lists = append(lists, kind)
		}
		shown = append(shown, group...)
	}
	if !cut {
		return shown, lists
	}
	if shared := sharedPrefix(all); len(shared) > typed {
		return []candidate{{text: shared}}, nil
	}
	if len(shown) > 0 && len(sharedPrefix(shown)) > typed {
		other := slices.IndexFunc(all, func(c candidate) bool { return len(sharedPrefix([]candidate{shown[0], c})) <= typed })
		shown = append(shown, all[other])
	}
	return shown, lists
}

// sharedPrefix is what the texts of all candidates begin with.
func sharedPrefix(list []candidate) string {
	if len(list) == 0 {
		return ""
	}
	shared := list[0].text
	for _, c := range list[1:] {
		for !strings.HasPrefix(c.text, shared) {
			_, size := utf8.DecodeLastRuneInString(shared)
			shared = shared[:len(shared)-size]
		}
	}
	return shared
}
