package shell

import (
	"strings"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sql"
)

// Colours of the terminal's own palette, which its owner has made readable.
const (
	colorReset    = "\x1b[0m"
	colorKeyword  = "\x1b[1;34m" // bold blue
	colorFunction = "\x1b[36m"   // cyan
	colorString   = "\x1b[32m"   // green
	colorNumber   = "\x1b[35m"   // magenta
	colorComment  = "\x1b[90m"   // grey
	colorInvalid  = "\x1b[31m"   // red
	colorCommand  = "\x1b[1;33m" // bold yellow
)

// highlight colours what stands at a prompt; taken out the colours, it is the text.
func highlight(text string) string {
	var b strings.Builder
	list, _ := steps(text, true)
	at := 0
	for _, p := range list {
		if p.command {
			highlightSQL(&b, text[at:p.offset])
			name, _, _ := strings.Cut(p.text, " ")
			b.WriteString(colorCommand + name + colorReset)
			at = p.offset + len(name)
			end := p.offset + len(p.text)
			b.WriteString(text[at:end])
			at = end
		}
	}
	highlightSQL(&b, text[at:])
	return b.String()
}

func highlightSQL(b *strings.Builder, text string) {
	at := 0
	for _, t := range sql.Tokens(text) {
		b.WriteString(text[at:t.Start])
		at = t.End
		word := text[t.Start:t.End]
		color := ""
		switch t.Kind {
		case sql.KeywordToken:
			color = colorKeyword
		case sql.WordToken:
			if strings.HasPrefix(strings.TrimLeft(text[t.End:], " "), "(") && isFunction(word) {
				color = colorFunction
			}
		case sql.StringToken:
			color = colorString
		case sql.NumberToken:
			color = colorNumber
		case sql.CommentToken:
			color = colorComment
		case sql.InvalidToken:
			color = colorInvalid
		}
		if color == "" {
			b.WriteString(word)
			continue
		}
		// The editor draws each line by itself, so that a colour does not last over its end.
		b.WriteString(color + strings.ReplaceAll(word, "\n", colorReset+"\n"+color) + colorReset)
	}
	b.WriteString(text[at:])
}

func isFunction(name string) bool {
	if _, ok := fn.Lookup(name); ok {
		return true
	}
	_, ok := fn.LookupWindow(name) // aggregates are among them
	return ok
}
