package expr

import (
	"fmt"
	"strings"

	"github.com/trailql/trailql/engine/sqltype"
)

var signs = [...]string{Eq: "=", Ne: "<>", Lt: "<", Le: "<=", Gt: ">", Ge: ">=",
	Distinct: "IS DISTINCT FROM", NotDistinct: "IS NOT DISTINCT FROM"}

// String returns the sign as SQL writes it.
func (op CompareOp) String() string { return signs[op] }

// Format returns e as SQL-like text for people: ("eventname" = 'X').
func Format(e Expr) string {
	var b strings.Builder
	write(&b, e)
	return b.String()
}

func write(b *strings.Builder, e Expr) {
	switch e := e.(type) {
	case *Column:
		if e.Name == "" {
			fmt.Fprintf(b, "#%d", e.Index)
			return
		}
		fmt.Fprintf(b, `"%s"`, strings.ReplaceAll(e.Name, `"`, `""`))
	case *Outer:
		fmt.Fprintf(b, `outer "%s"`, strings.ReplaceAll(e.Name, `"`, `""`))
	case *Literal:
		b.WriteString(formatLiteral(e))
	case *Call:
		writeCall(b, e)
	case *Compare:
		writeInfix(b, " "+e.Op.String()+" ", e.Left, e.Right)
	case *And:
		writeInfix(b, " AND ", e.Args...)
	case *Or:
		writeInfix(b, " OR ", e.Args...)
	case *Not:
		b.WriteString("(NOT ")
		write(b, e.Arg)
		b.WriteByte(')')
	case *IsNull:
		b.WriteByte('(')
		write(b, e.Arg)
		b.WriteString(" IS NULL)")
	case *In:
		b.WriteByte('(')
		write(b, e.Arg)
		b.WriteString(" IN ")
		writeList(b, e.List)
		b.WriteByte(')')
	case *Case:
		b.WriteString("CASE")
		for _, w := range e.Whens {
			b.WriteString(" WHEN ")
			write(b, w.Cond)
			b.WriteString(" THEN ")
			write(b, w.Then)
		}
		if e.Else != nil {
			b.WriteString(" ELSE ")
			write(b, e.Else)
		}
		b.WriteString(" END")
	case *Cast:
		if e.Try {
			b.WriteString("TRY_")
		}
		b.WriteString("CAST(")
		write(b, e.Arg)
		fmt.Fprintf(b, " AS %s)", e.T)
	case *Lambda:
		writeLambda(b, e)
	case *Try:
		b.WriteString("TRY(")
		write(b, e.Arg)
		b.WriteByte(')')
	case *Field:
		write(b, e.Arg)
		name := e.Arg.Type().Fields[e.Index].Name
		if name == "" {
			fmt.Fprintf(b, "[%d]", e.Index+1)
			return
		}
		fmt.Fprintf(b, `."%s"`, strings.ReplaceAll(name, `"`, `""`))
	default:
		panic(fmt.Sprintf("expr: no text for %T", e))
	}
}

// writeLambda writes what is captured in its place.
func writeLambda(b *strings.Builder, e *Lambda) {
	params := make([]Expr, len(e.Params))
	for i, p := range e.Params {
		params[i] = &Column{Index: i, Name: p.Name}
	}
	if len(params) == 1 {
		write(b, params[0])
	} else {
		writeList(b, params)
	}
	b.WriteString(" -> ")
	write(b, Rewrite(e.Body, func(part Expr) Expr {
		if c, ok := part.(*Column); ok && c.Index >= len(params) {
			return e.Captured[c.Index-len(params)]
		}
		return part
	}))
}

func writeInfix(b *strings.Builder, sign string, args ...Expr) {
	b.WriteByte('(')
	for i, a := range args {
		if i > 0 {
			b.WriteString(sign)
		}
		write(b, a)
	}
	b.WriteByte(')')
}

func writeList(b *strings.Builder, args []Expr) {
	b.WriteByte('(')
	for i, a := range args {
		if i > 0 {
			b.WriteString(", ")
		}
		write(b, a)
	}
	b.WriteByte(')')
}

func writeCall(b *strings.Builder, e *Call) {
	switch name := e.Fn.Name; {
	case name == "like":
		b.WriteByte('(')
		write(b, e.Args[0])
		b.WriteString(" LIKE ")
		write(b, e.Args[1])
		if len(e.Args) > 2 {
			b.WriteString(" ESCAPE ")
			write(b, e.Args[2])
		}
		b.WriteByte(')')
	case name == "negate" && len(e.Args) == 1:
		b.WriteString("(-")
		write(b, e.Args[0])
		b.WriteByte(')')
	case name == "subscript" && len(e.Args) == 2:
		write(b, e.Args[0])
		b.WriteByte('[')
		write(b, e.Args[1])
		b.WriteByte(']')
	case name == "at_timezone" && len(e.Args) == 2:
		writeInfix(b, " AT TIME ZONE ", e.Args...)
	case strings.Trim(name, "+-*/%|") == "":
		writeInfix(b, " "+name+" ", e.Args...)
	default:
		b.WriteString(name)
		writeList(b, e.Args)
	}
}

func formatLiteral(e *Literal) string {
	if e.IsNull() {
		return "NULL"
	}
	text := string(sqltype.AppendText(nil, e.T, e.Value, 0))
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	switch e.T.Kind {
	case sqltype.Varchar:
		return quoted
	case sqltype.Varbinary:
		return "X'" + strings.ReplaceAll(text, " ", "") + "'"
	case sqltype.Date:
		return "DATE " + quoted
	case sqltype.Time, sqltype.TimeTZ:
		return "TIME " + quoted
	case sqltype.Timestamp, sqltype.TimestampTZ:
		return "TIMESTAMP " + quoted
	case sqltype.IntervalDay, sqltype.IntervalYear:
		return "INTERVAL " + quoted
	case sqltype.Char:
		return fmt.Sprintf("CAST('%s' AS %s)", strings.TrimRight(quoted[1:len(quoted)-1], " "), e.T)
	case sqltype.JSON, sqltype.IPAddress, sqltype.IPPrefix, sqltype.UUID:
		return strings.ToUpper(e.T.String()) + " " + quoted
	}
	return text
}
