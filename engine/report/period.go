package report

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

func (p Period) String() string {
	return p.From.UTC().Format(shownTime) + " to " + p.To.UTC().Format(shownTime) + " UTC"
}

// shownTime is how reports show times to people; always UTC.
const shownTime = "2006-01-02 15:04:05"

// check refuses periods that hold nothing or that the literals of SQL cannot say.
func (p Period) check() error {
	switch {
	case !p.From.Before(p.To):
		return fmt.Errorf("the period is empty: it begins at %s and ends before %s", p.From.UTC().Format(shownTime), p.To.UTC().Format(shownTime))
	case !p.From.Equal(p.From.Truncate(time.Millisecond)) || !p.To.Equal(p.To.Truncate(time.Millisecond)):
		return errors.New("the period has parts finer than a millisecond")
	case p.From.UTC().Year() < 1 || p.To.UTC().Year() > 9999:
		return errors.New("the period is beyond the years 1 to 9999")
	}
	return nil
}

// statement is a control's SQL with the ends of a period in place of :from and :to.
type statement struct {
	text     string
	literals []literal
}

// literal is a stretch of a statement's text that stands where the file has a placeholder.
type literal struct {
	name       string // ":from", ":to"
	start, end int    // byte offsets in the statement
	source     int    // byte offset of the placeholder in the file
}

// fill puts timestamp literals (UTC, milliseconds) in place of :from and :to where they are tokens of their own: not inside
// strings, quoted names or comments.
func fill(text string, p Period) statement {
	var s statement
	var b strings.Builder
	last := 0
	tokens := sql.Tokens(text)
	for i, colon := range tokens[:max(0, len(tokens)-1)] {
		word := tokens[i+1]
		if text[colon.Start:colon.End] != ":" || word.Start != colon.End {
			continue
		}
		name := strings.ToLower(text[colon.Start:word.End])
		var at time.Time
		switch name {
		case ":from":
			at = p.From
		case ":to":
			at = p.To
		default:
			continue
		}
		b.WriteString(text[last:colon.Start])
		l := literal{name: name, start: b.Len(), source: colon.Start}
		b.WriteString("TIMESTAMP '" + at.UTC().Format("2006-01-02 15:04:05.000") + "'")
		l.end, last = b.Len(), word.End
		s.literals = append(s.literals, l)
	}
	b.WriteString(text[last:])
	s.text = b.String()
	return s
}

// names reports whether the file has the placeholder.
func (s statement) names(placeholder string) bool {
	for _, l := range s.literals {
		if l.name == placeholder {
			return true
		}
	}
	return false
}

// source turns a place in the statement into that in the file.
func (s statement) source(pos sqlerr.Pos) sqlerr.Pos {
	if pos == 0 {
		return 0
	}
	at := int(pos) - 1
	shift := 0 // statement minus file
	for _, l := range s.literals {
		if at < l.start {
			break
		}
		if at < l.end {
			return sqlerr.Pos(l.source + 1)
		}
		shift = l.end - (l.source + len(l.name))
	}
	return sqlerr.Pos(at - shift + 1)
}
