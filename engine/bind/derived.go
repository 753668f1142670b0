package bind

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// derive adds columns that are computed from those of rel.
func (b *binder) derive(rel *relation, columns []source.Derived, t *sql.TableName, parts []string) *relation {
	fields := slices.Clone(rel.fields)
	refs := plan.ColumnRefs(rel.node)
	p := &plan.Project{Input: rel.node, Exprs: refs[:len(fields)], Columns: slices.Clone(rel.node.Schema()[:len(fields)])}
	find := func(name string) int {
		return slices.IndexFunc(rel.fields, func(f field) bool { return f.name == name })
	}
	for _, d := range columns {
		if find(d.Name) >= 0 {
			continue
		}
		from := find(strings.ToLower(d.From))
		if from < 0 {
			fail(sqlerr.Name, t.Pos(), "column %q of %s is made of a column %q, which does not exist", d.Name, dotted(t.Name), d.From)
		}
		e := refs[from]
		if d.Format != "" {
			e = b.formatted(operand{e, t.Pos()}, d.Format)
		}
		p.Exprs, p.Columns = append(p.Exprs, e), append(p.Columns, plan.Column{Name: d.Name, Type: e.Type()})
		fields = append(fields, field{qualifier: parts, name: d.Name, hidden: d.Hidden, format: d.Format})
	}
	return &relation{node: p, fields: fields}
}

func (b *binder) formatted(e operand, format string) expr.Expr {
	return b.apply("format_datetime", e.at, e, operand{expr.NewLiteral(sqltype.VarcharType, format), e.at})
}

// inFormat returns what a derived column is compared with. Constant text that the column's format cannot give is refused: it is a
// mistake, and the answer would be empty. In a comparison of order it may be the beginning of one that can be given. A constant whole
// number beside a column of digits is written as these: year = 2026, in tables where such columns are numbers.
func (x *exprs) inFormat(column, constant operand, order bool) operand {
	c, ok := column.Expr.(*expr.Column)
	if !ok || c.Index >= len(x.in.fields) || x.in.fields[c.Index].format == "" {
		return constant
	}
	format := x.in.fields[c.Index].format
	if temporal(constant.Type()) {
		failHint(sqlerr.Type, constant.at, "write the time as text like '"+x.example(format)+"', by date_format or format_datetime",
			"%q is text of the form %s and is compared with a %s", c.Name, format, constant.Type())
	}
	if lit, ok := x.constant(constant.Expr); ok && !lit.IsNull() && strings.Trim(format, format[:1]) == "" {
		if n, whole := vec.Value(lit.Value, 0).(int64); whole && lit.T.Kind >= sqltype.TinyInt && lit.T.Kind <= sqltype.BigInt {
			constant = operand{textOperand(fmt.Sprintf("%02d", n)).Expr, constant.at}
		}
	}
	text, ok := x.constantText(constant.Expr)
	if !ok {
		return constant
	}
	// A day like 02-29 is one only in some years.
	parsed, pattern := text, format
	if !strings.Contains(format, "y") {
		parsed, pattern = "2024 "+text, "yyyy "+format
	}
	example := x.example(format)
	if rest := x.example(pattern); order && len(parsed) < len(rest) {
		parsed += rest[len(parsed):]
	}
	time := x.apply("parse_datetime", 0, textOperand(parsed), textOperand(pattern))
	if got, ok := x.constantText(&expr.Try{Arg: x.formatted(operand{Expr: time}, pattern)}); ok && got == parsed {
		return constant
	}
	failHint(sqlerr.Value, constant.at, "write it like '"+example+"'", "text '%s' is compared with %q, whose form is %s: no row has it", text, c.Name, format)
	return constant
}

// example is how the first of a leap year looks in a format.
func (b *binder) example(format string) string {
	day := expr.NewLiteral(sqltype.VarcharType, "2024-01-01")
	text, _ := b.constantText(b.formatted(operand{Expr: &expr.Cast{Arg: day, T: sqltype.TimestampType}}, format))
	return text
}

func textOperand(text string) operand {
	return operand{Expr: expr.NewLiteral(sqltype.VarcharType, text)}
}
