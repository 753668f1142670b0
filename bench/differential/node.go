package differential

import "strings"

// node is a piece of SQL. A ? in its text stands for the next kid. Where the dialects write the same thing differently, duck is DuckDB's text,
// with the same kids. smaller are pieces that may stand in its place: same type, less text; the shrinker tries them.
type node struct {
	text, duck string
	kids       []*node
	smaller    []*node
}

func raw(text string) *node { return &node{text: text} }

func nodeOf(text string, kids ...*node) *node { return &node{text: text, kids: kids} }

// or sets DuckDB's text.
func (n *node) or(duck string) *node { n.duck = duck; return n }

// orSmaller adds pieces that may stand in n's place.
func (n *node) orSmaller(smaller ...*node) *node {
	n.smaller = append(n.smaller, smaller...)
	return n
}

// optional is a piece that may be left out.
func optional(n *node) *node { return n.orSmaller(raw("")) }

// list joins pieces; while there are more than one, each of those after the first may be dropped.
func list(separator string, items []*node) *node {
	n := &node{}
	for i, item := range items {
		if i == 0 {
			n.text, n.kids = "?", append(n.kids, item)
			continue
		}
		n.text += "?"
		n.kids = append(n.kids, optional(nodeOf(separator+"?", item)))
	}
	return n
}

func (n *node) sql(duck bool) string {
	var b strings.Builder
	n.write(&b, duck)
	return b.String()
}

func (n *node) write(b *strings.Builder, duck bool) {
	text := n.text
	if duck && n.duck != "" {
		text = n.duck
	}
	for _, kid := range n.kids {
		before, after, _ := strings.Cut(text, "?")
		b.WriteString(before)
		kid.write(b, duck)
		text = after
	}
	b.WriteString(text)
}

// shrink replaces pieces of n by smaller ones while still holds, at most tries times.
func (n *node) shrink(tries int, still func() bool) {
	var visit func(*node) bool
	visit = func(at *node) bool {
		old := *at
		for _, s := range old.smaller {
			if tries == 0 {
				return false
			}
			tries--
			if *at = *s; still() {
				return true
			}
			*at = old
		}
		for _, kid := range at.kids {
			if visit(kid) {
				return true
			}
		}
		return false
	}
	for visit(n) {
		continue // from the top, for what is left may be smaller now
	}
}
