package expr

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Eval computes e for every row of b: a constant, or a column of b.Len rows, text plain or dictionary-coded. Columns of b
// that e does not use may be nil. Errors are *sqlerr.Error, of kind Value where a value is at fault.
func Eval(e Expr, b vec.Batch, s *fn.Session) (vec.Datum, error) {
	if b.Len == 0 {
		if l, ok := e.(*Literal); ok {
			return vec.Datum{Arr: l.Value, Const: true}, nil
		}
		return vec.Datum{Arr: vec.Nulls(e.Type(), 0)}, nil
	}
	ev := evaluator{b, s}
	return ev.eval(e)
}

type evaluator struct {
	vec.Batch // at least one row
	session   *fn.Session
}

func (ev evaluator) eval(e Expr) (vec.Datum, error) {
	if d, ok := ev.onEntries(e); ok {
		return d, nil
	}
	switch e := e.(type) {
	case *Column:
		return vec.Datum{Arr: ev.Cols[e.Index]}, nil
	case *Literal:
		return vec.Datum{Arr: e.Value, Const: true}, nil
	case *Call:
		return ev.call(e)
	case *Compare:
		return ev.compare(e)
	case *And:
		return ev.logic(e.Args, false)
	case *Or:
		return ev.logic(e.Args, true)
	case *Not:
		d, err := ev.boolean(e.Arg)
		if err != nil {
			return d, err
		}
		return vec.Datum{Arr: vec.Not(d.Arr.(*array.Boolean)), Const: d.Const}, nil
	case *IsNull:
		d, err := ev.eval(e.Arg)
		if err != nil {
			return d, err
		}
		return vec.Datum{Arr: vec.IsNull(d.Arr), Const: d.Const}, nil
	case *In:
		return ev.in(e)
	case *Case:
		d, err := ev.cases(e)
		if err == nil && d.Arr.DataType().ID() == arrow.NULL { // branches may be untyped NULLs
			d.Arr = vec.Nulls(e.T, d.Arr.Len())
		}
		return d, err
	case *Cast:
		d, err := ev.eval(e.Arg)
		if err != nil {
			return d, err
		}
		d, err = vec.Cast(d, e.Arg.Type(), e.T, e.Try, ev.session.Zone, ev.session.Now, ev.rows(d))
		return d, at(err, e.Pos)
	case *Try:
		d, err := ev.eval(e.Arg)
		if err == nil || sqlerr.KindOf(err) != sqlerr.Value {
			return d, err
		}
		out, err := ev.try(e)
		return vec.Datum{Arr: out}, err
	case *Field:
		d, err := ev.eval(e.Arg)
		if err != nil {
			return d, err
		}
		row, ok := d.Arr.(*array.Struct)
		if !ok { // NULL of type unknown
			return vec.Datum{Arr: vec.Nulls(e.Type(), d.Arr.Len()), Const: d.Const}, nil
		}
		return vec.Datum{Arr: vec.Mask(row.Field(e.Index), row), Const: d.Const}, nil
	}
	panic(fmt.Sprintf("expr: no evaluation of %T", e))
}

// at gives err a place and keeps nil nil.
func at(err error, pos sqlerr.Pos) error {
	if err == nil {
		return nil
	}
	return sqlerr.At(err, pos)
}

// rows is the number of rows that d stands on.
func (ev evaluator) rows(d vec.Datum) int {
	if d.Const {
		return 1
	}
	return ev.Len
}

// boolean evaluates a condition; an untyped NULL becomes a boolean one.
func (ev evaluator) boolean(e Expr) (vec.Datum, error) {
	d, err := ev.eval(e)
	if err == nil && d.Arr.DataType().ID() == arrow.NULL {
		d.Arr = vec.Nulls(sqltype.BooleanType, d.Arr.Len())
	}
	return d, err
}

// narrow returns the evaluator for some of the rows; it holds only the columns that e uses.
func (ev evaluator) narrow(rows []int32, e ...Expr) evaluator {
	cols := make([]arrow.Array, len(ev.Cols))
	for _, c := range Columns(e...) {
		cols[c] = vec.Take(ev.Cols[c], rows)
	}
	return evaluator{vec.Batch{Len: len(rows), Cols: cols}, ev.session}
}

func (ev evaluator) compare(e *Compare) (vec.Datum, error) {
	l, err := ev.eval(e.Left)
	if err != nil {
		return l, err
	}
	r, err := ev.eval(e.Right)
	if err != nil {
		return r, err
	}
	n, both := ev.Len, l.Const && r.Const
	if both {
		n = 1
	}
	out, err := vec.Compare(vec.Comparison(e.Op), e.Left.Type(), l, r, n)
	return vec.Datum{Arr: out, Const: both}, err
}

// onEntries evaluates an expression over dictionary-coded columns, and nothing else, once per entry and once for NULL, and maps the answers to
// the rows; over several columns once for each combination of entries that rows have. ok is false where e is none or takes one step only, for
// its kernel knows dictionaries; where there are more entries, or many more combinations, than rows, unless they are due; and where an entry is at
// fault, perhaps one that no row has: then the rows decide.
func (ev evaluator) onEntries(e Expr) (out vec.Datum, ok bool) {
	if isOperand(e) || !ev.coded() {
		return vec.Datum{}, false
	}
	columns := Columns(e)
	_, isCase := e.(*Case)
	_, isCall := e.(*Call)
	steps := isCase || isCall && len(columns) > 1 || slices.ContainsFunc(children(e), func(c Expr) bool { return !isOperand(c) })
	if !steps || len(columns) == 0 || Volatile(e) {
		return vec.Datum{}, false
	}
	dictionaries := make([]*array.Dictionary, len(columns))
	for i, c := range columns {
		if dictionaries[i], ok = ev.Cols[c].(*array.Dictionary); !ok {
			return vec.Datum{}, false
		}
	}
	if len(columns) == 1 {
		return ev.onDictionary(e, columns[0], dictionaries[0])
	}
	combined, ok := vec.Combine(dictionaries, 4*ev.Len, ev.Len/2)
	if !ok || combined.Len == 0 || combined.Len > ev.Len {
		return vec.Datum{}, false
	}
	inner := evaluator{vec.Batch{Len: combined.Len, Cols: make([]arrow.Array, len(ev.Cols))}, ev.session}
	for i, c := range columns {
		inner.Cols[c] = combined.Columns[i]
	}
	each, err := inner.eval(e)
	if err != nil {
		return vec.Datum{}, false
	}
	if each.Const {
		return each, true
	}
	return vec.Datum{Arr: vec.TakeCodes(each.Arr, combined.Codes)}, true
}

// onDictionary is onEntries for one column.
func (ev evaluator) onDictionary(e Expr, column int, d *array.Dictionary) (out vec.Datum, ok bool) {
	dictionary, kept := d.Data().Dictionary(), ev.kept()
	values := kept.Get(e, dictionary)
	if values == nil {
		if dictionary.Len() > ev.Len && !kept.Due(e, dictionary, ev.Len) {
			return vec.Datum{}, false
		}
		entries := vec.WithNull(vec.Entries(d))
		inner := evaluator{vec.Batch{Len: entries.Len(), Cols: make([]arrow.Array, len(ev.Cols))}, ev.session}
		inner.Cols[column] = entries
		each, err := inner.eval(e)
		if err != nil {
			kept.Keep(e, dictionary, nil)
			return vec.Datum{}, false
		}
		if each.Const {
			return each, true
		}
		values = vec.Shared(each.Arr)
		kept.Keep(e, dictionary, values)
	}
	return rowsOf(values, d, true), true
}

// rowsOf maps the values of entries, and with withNull that of NULL behind them, to the rows of d.
func rowsOf(values arrow.Array, d *array.Dictionary, withNull bool) vec.Datum {
	if withNull && vec.NullCount(d) == 0 { // without NULL the kernel is faster
		values, withNull = vec.Slice(values, 0, values.Len()-1), false
	}
	return vec.Datum{Arr: vec.TakeEntries(values, d, withNull)}
}

// kept is what the query keeps from batch to batch.
func (ev evaluator) kept() *fn.PerEntry {
	if ev.session == nil {
		return nil
	}
	return ev.session.PerEntry
}

// coded reports whether a column is dictionary-coded.
func (ev evaluator) coded() bool {
	for _, c := range ev.Cols {
		if _, ok := c.(*array.Dictionary); ok {
			return true
		}
	}
	return false
}

// call applies a function. Constant arguments give a constant. A function of one dictionary-coded column and constants is run
// on the entries where there are no more of them than rows, or on those that rows have.
func (ev evaluator) call(e *Call) (vec.Datum, error) {
	args := make([]vec.Datum, 0, len(e.Args))
	var lambdas []fn.Lambda
	constant := !e.Fn.Volatile
	var lifted *array.Dictionary // the one column, if it is dictionary-coded
	liftedAt, columns, null := -1, 0, false
	for _, a := range e.Args {
		if l, ok := a.(*Lambda); ok {
			f, same, err := ev.function(l)
			if err != nil {
				return vec.Datum{}, err
			}
			lambdas = append(lambdas, f)
			if !same {
				constant, lifted = false, nil
				columns++
			}
			continue
		}
		d, err := ev.eval(a)
		if err != nil {
			return vec.Datum{}, err
		}
		args = append(args, d)
		if d.Const {
			null = null || !vec.IsValid(d.Arr, 0)
			continue
		}
		constant = false
		columns++
		lifted, _ = d.Arr.(*array.Dictionary)
		liftedAt = len(args) - 1
	}
	if null && !e.Fn.NullCall {
		return vec.Datum{Arr: vec.Nulls(e.T, 1), Const: true}, nil
	}
	if columns != 1 || e.Fn.Volatile {
		lifted = nil
	}
	var kept *fn.PerEntry // where this is the only step, and the value of an entry does not depend on the batch; of several steps, see onDictionary
	var dictionary arrow.ArrayData
	if lifted != nil {
		dictionary = lifted.Data().Dictionary()
		if !slices.ContainsFunc(e.Args, func(a Expr) bool { return !isOperand(a) }) {
			kept = ev.kept()
		}
		if values := kept.Get(e, dictionary); values != nil {
			return rowsOf(values, lifted, e.Fn.NullCall), nil
		}
		if dictionary.Len() > ev.Len && !kept.Due(e, dictionary, ev.Len) {
			kept, lifted = nil, vec.Used(lifted, ev.Len-ev.Len/4)
		}
	}
	if lifted != nil {
		values, err := ev.lift(e, args, lambdas, liftedAt, lifted)
		if err == nil && kept != nil {
			values = vec.Shared(values)
		}
		kept.Keep(e, dictionary, values)
		if err == nil {
			return rowsOf(values, lifted, e.Fn.NullCall), nil
		}
		if sqlerr.KindOf(err) != sqlerr.Value {
			return vec.Datum{}, at(err, e.Pos)
		}
		// an entry that no row has may be at fault: the rows decide
	}
	n := ev.Len
	if constant {
		n = 1
	}
	out, err := ev.apply(e, args, lambdas, n)
	return vec.Datum{Arr: out, Const: constant}, err
}

// apply runs the body over n rows.
func (ev evaluator) apply(e *Call, args []vec.Datum, lambdas []fn.Lambda, n int) (arrow.Array, error) {
	types := make([]sqltype.Type, 0, len(args))
	for _, a := range e.Args {
		if _, ok := a.(*Lambda); !ok {
			types = append(types, a.Type())
		}
	}
	for i := range args {
		args[i].Arr = vec.Plain(args[i].Arr)
	}
	memo := e.Memo
	if memo == nil {
		memo = new(fn.Memo)
	}
	out, err := e.Overload.Eval(&fn.Call{Args: args, Types: types, Lambdas: lambdas, Result: e.T, Len: n, Session: ev.session, Memo: memo})
	if err != nil {
		var own *sqlerr.Error
		if !errors.As(err, &own) {
			err = sqlerr.Wrap(sqlerr.Internal, err, "function %s", e.Fn.Name)
		}
		return nil, at(err, e.Pos)
	}
	if !e.Fn.NullCall {
		for _, a := range args {
			if !a.Const {
				out = vec.Mask(out, a.Arr)
			}
		}
	}
	return out, nil
}

// lift runs the body once per dictionary entry, and, where the function wants to see it, once more for NULL.
func (ev evaluator) lift(e *Call, args []vec.Datum, lambdas []fn.Lambda, at int, d *array.Dictionary) (arrow.Array, error) {
	entries := vec.Entries(d)
	if e.Fn.NullCall {
		entries = vec.WithNull(entries)
	}
	if entries.Len() == 0 {
		return vec.Nulls(e.T, 0), nil
	}
	inner := append([]vec.Datum(nil), args...)
	inner[at] = vec.Datum{Arr: entries}
	return ev.apply(e, inner, lambdas, entries.Len())
}

// try evaluates the operand of TRY, which fails in some rows. If it uses one dictionary-coded column, the entries stand for
// the rows.
func (ev evaluator) try(e *Try) (arrow.Array, error) {
	columns := Columns(e.Arg)
	if len(columns) == 1 && !Volatile(e.Arg) {
		d, ok := ev.Cols[columns[0]].(*array.Dictionary)
		if ok && d.Data().Dictionary().Len() < ev.Len {
			entries, err := vec.Concat([]arrow.Array{vec.Entries(d), vec.Nulls(sqltype.VarcharType, 1)})
			if err != nil {
				return nil, err
			}
			inner := evaluator{vec.Batch{Len: entries.Len(), Cols: make([]arrow.Array, len(ev.Cols))}, ev.session}
			inner.Cols[columns[0]] = entries
			out, err := inner.tryRows(e)
			if err != nil {
				return nil, err
			}
			return vec.TakeEntries(out, d, true), nil
		}
	}
	return ev.tryRows(e)
}

func (ev evaluator) tryRows(e *Try) (arrow.Array, error) {
	return vec.TryRows(e.Type(), ev.Len, func(from, to int) (arrow.Array, error) {
		part := ev.Slice(from, to)
		d, err := evaluator{part, ev.session}.eval(e.Arg)
		if err != nil {
			return nil, err
		}
		return vec.Column(d, part.Len), nil
	})
}

// cases evaluates the branches of CASE and takes for each row from the one that it reaches. A constant or a column is taken from as it
// stands; anything else is evaluated on the rows that reach it, as is a condition that can fail, or that few rows reach.
func (ev evaluator) cases(e *Case) (vec.Datum, error) {
	const open, null = -2, -1
	var parts []arrow.Array
	base := int32(0)                // rows in parts
	source := make([]int32, ev.Len) // per row of the batch its row in parts
	for i := range source {
		source[i] = open
	}
	left, constants := ev.Len, true
	// take gives the rows the values of branch; whole is the answer if that is all there is.
	take := func(branch Expr, rows []int32) (whole *vec.Datum, err error) {
		at := ev
		_, standing := branch.(*Literal)
		if _, column := branch.(*Column); column {
			standing = len(rows) >= ev.Len/2 // else it would be copied whole for a few rows
		}
		if !standing {
			at = ev.some(rows, branch)
		}
		d, err := at.eval(branch)
		if err != nil {
			return nil, err
		}
		if len(rows) == ev.Len {
			return &d, nil
		}
		switch {
		case d.Const:
			for _, r := range rows {
				source[r] = base
			}
		case standing:
			for _, r := range rows {
				source[r] = base + r
			}
		default:
			for i, r := range rows {
				source[r] = base + int32(i)
			}
		}
		constants = constants && d.Const
		parts = append(parts, d.Arr)
		base += int32(d.Arr.Len())
		left -= len(rows)
		return nil, nil
	}
	unreached := func() []int32 {
		if left == ev.Len {
			return identity(ev.Len)
		}
		rows := make([]int32, 0, left)
		for i, s := range source {
			if s == open {
				rows = append(rows, int32(i))
			}
		}
		return rows
	}
	for _, w := range e.Whens {
		if left == 0 {
			break
		}
		hit, err := ev.reached(w.Cond, source, open, left, unreached)
		if err != nil {
			return vec.Datum{}, err
		}
		if len(hit) == 0 {
			continue
		}
		if whole, err := take(w.Then, hit); whole != nil || err != nil {
			return orNone(whole), err
		}
	}
	if left > 0 && e.Else != nil {
		if whole, err := take(e.Else, unreached()); whole != nil || err != nil {
			return orNone(whole), err
		}
	}
	if len(parts) == 0 {
		return vec.Datum{Arr: vec.Nulls(e.T, 1), Const: true}, nil
	}
	if left > 0 {
		for i, s := range source {
			if s == open {
				source[i] = null
			}
		}
	}
	all, err := vec.Concat(parts)
	if err != nil {
		return vec.Datum{}, err
	}
	if texts, ok := all.(*array.String); ok && constants { // the constants are the entries
		for i, s := range source {
			if s >= 0 && texts.IsNull(int(s)) {
				source[i] = null
			}
		}
		return vec.Datum{Arr: vec.Coded(texts, source)}, nil
	}
	return vec.Datum{Arr: vec.Take(all, source)}, nil
}

func orNone(d *vec.Datum) vec.Datum {
	if d == nil {
		return vec.Datum{}
	}
	return *d
}

// isOperand reports whether e costs nothing to evaluate.
func isOperand(e Expr) bool {
	switch e.(type) {
	case *Literal, *Column:
		return true
	}
	return false
}

// reached returns those of the open rows, left in number, for which the condition is true.
func (ev evaluator) reached(cond Expr, source []int32, open int32, left int, unreached func() []int32) ([]int32, error) {
	if left < ev.Len && (left < ev.Len/2 || CanFail(cond)) {
		rows := unreached()
		d, err := ev.narrow(rows, cond).boolean(cond)
		if err != nil {
			return nil, err
		}
		hits := vec.True(d.Arr)
		if d.Const {
			if len(hits) == 0 {
				return nil, nil
			}
			return rows, nil
		}
		for i, h := range hits {
			hits[i] = rows[h]
		}
		return hits, nil
	}
	d, err := ev.boolean(cond)
	if err != nil {
		return nil, err
	}
	hits := vec.True(d.Arr)
	switch {
	case d.Const && len(hits) == 0:
		return nil, nil
	case d.Const:
		return unreached(), nil
	case left == ev.Len:
		return hits, nil
	}
	some := hits[:0]
	for _, h := range hits {
		if source[h] == open {
			some = append(some, h)
		}
	}
	return some, nil
}

// some is narrow, or ev itself where rows are all.
func (ev evaluator) some(rows []int32, e Expr) evaluator {
	if len(rows) == ev.Len {
		return ev
	}
	return ev.narrow(rows, e)
}

func identity(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// logic evaluates AND (stop is false) or OR (stop is true): the operands from left to right, one that can fail only on
// the rows that are not decided yet.
func (ev evaluator) logic(args []Expr, stop bool) (vec.Datum, error) {
	join := vec.And
	if stop {
		join = vec.Or
	}
	var acc vec.Datum
	for i, a := range args {
		var open []int32 // rows that are not decided; nil: all
		if i > 0 {
			if acc.Const {
				if v := vec.Value(acc.Arr, 0); v == stop {
					return acc, nil
				}
			} else {
				decided := acc.Arr.(*array.Boolean)
				if !stop {
					decided = vec.Not(decided)
				}
				done := vec.True(decided)
				if len(done) == ev.Len {
					return acc, nil
				}
				if len(done) > 0 && CanFail(a) {
					open = except(done, ev.Len)
				}
			}
		}
		var d vec.Datum
		var err error
		if open == nil {
			d, err = ev.boolean(a)
		} else if d, err = ev.narrow(open, a).boolean(a); err == nil && !d.Const {
			d.Arr = scatter(d.Arr, open, ev.Len)
		}
		if err != nil {
			return d, err
		}
		switch {
		case i == 0:
			acc = d
		case acc.Const && d.Const:
			acc.Arr = join(acc.Arr.(*array.Boolean), d.Arr.(*array.Boolean))
		default:
			l, r := vec.Column(acc, ev.Len), vec.Column(d, ev.Len)
			acc = vec.Datum{Arr: join(l.(*array.Boolean), r.(*array.Boolean))}
		}
	}
	return acc, nil
}

// except returns the rows below n that are not in rows, which is sorted.
func except(rows []int32, n int) []int32 {
	out := make([]int32, 0, n-len(rows))
	next := 0
	for i := range int32(n) {
		if next < len(rows) && rows[next] == i {
			next++
		} else {
			out = append(out, i)
		}
	}
	return out
}

// scatter puts values at their rows among n; the others are NULL.
func scatter(values arrow.Array, rows []int32, n int) arrow.Array {
	source := make([]int32, n)
	for i := range source {
		source[i] = -1
	}
	for i, r := range rows {
		source[r] = int32(i)
	}
	return vec.Take(values, source)
}
