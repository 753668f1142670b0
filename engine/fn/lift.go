package fn

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/vec"
)

// The lifts below make a body over columns from a Go function of one row's values. They serve the functions whose
// work per row dwarfs an indirect call, and text functions, which run once per dictionary entry. Arithmetic and
// other functions of a few instructions have loops of their own.

// body evaluates an overload.
type body = func(c *Call) (arrow.Array, error)

// errNull, returned as the error, makes the row NULL.
var errNull = errors.New("null")

// nullMaker collects the rows that become NULL beside those with a NULL argument.
type nullMaker struct {
	nulls []bool
	n     int
}

func (m *nullMaker) skip(i int) bool { return m.nulls != nil && m.nulls[i] }

// keep files the outcome of row i: whether the loop may go on.
func (m *nullMaker) keep(i int, err error) bool {
	if err == nil {
		return true
	}
	if !errors.Is(err, errNull) {
		return false
	}
	if m.nulls == nil {
		m.nulls = make([]bool, m.n)
	}
	m.nulls[i] = true
	return true
}

func pure1[A, R any](f func(A) R) body {
	return func(c *Call) (arrow.Array, error) {
		a, nulls, out := arg[A](c, 0), c.nulls(), make([]R, c.Len)
		for i := range out {
			if nulls == nil || !nulls[i] {
				out[i] = f(a.at(i))
			}
		}
		return writeRows(c, out, nulls)
	}
}

func pure2[A, B, R any](f func(A, B) R) body {
	return func(c *Call) (arrow.Array, error) {
		a, b, nulls, out := arg[A](c, 0), arg[B](c, 1), c.nulls(), make([]R, c.Len)
		for i := range out {
			if nulls == nil || !nulls[i] {
				out[i] = f(a.at(i), b.at(i))
			}
		}
		return writeRows(c, out, nulls)
	}
}

func lift1[A, R any](f func(A) (R, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a := arg[A](c, 0)
		return eachRow(c, func(i int) (R, error) { return f(a.at(i)) })
	}
}

func lift2[A, B, R any](f func(A, B) (R, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a, b := arg[A](c, 0), arg[B](c, 1)
		return eachRow(c, func(i int) (R, error) { return f(a.at(i), b.at(i)) })
	}
}

func lift3[A, B, C, R any](f func(A, B, C) (R, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a, b, d := arg[A](c, 0), arg[B](c, 1), arg[C](c, 2)
		return eachRow(c, func(i int) (R, error) { return f(a.at(i), b.at(i), d.at(i)) })
	}
}

func lift4[A, B, C, D, R any](f func(A, B, C, D) (R, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a, b, d, e := arg[A](c, 0), arg[B](c, 1), arg[C](c, 2), arg[D](c, 3)
		return eachRow(c, func(i int) (R, error) { return f(a.at(i), b.at(i), d.at(i), e.at(i)) })
	}
}

// append1 lifts a function that appends one row's text to dst; so new text is made in place.
func append1[A any](f func(dst []byte, a A) ([]byte, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a := arg[A](c, 0)
		return appendRows(c, func(dst []byte, i int) ([]byte, error) { return f(dst, a.at(i)) })
	}
}

func append2[A, B any](f func(dst []byte, a A, b B) ([]byte, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a, b := arg[A](c, 0), arg[B](c, 1)
		return appendRows(c, func(dst []byte, i int) ([]byte, error) { return f(dst, a.at(i), b.at(i)) })
	}
}

func append3[A, B, C any](f func(dst []byte, a A, b B, c C) ([]byte, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a, b, d := arg[A](c, 0), arg[B](c, 1), arg[C](c, 2)
		return appendRows(c, func(dst []byte, i int) ([]byte, error) { return f(dst, a.at(i), b.at(i), d.at(i)) })
	}
}

// appendRows is the loop of the appending lifts, for bodies with arguments of another shape.
func appendRows(c *Call, row func(dst []byte, i int) ([]byte, error)) (arrow.Array, error) {
	nulls, w := c.nulls(), newTextRuns(c.Result, c.Len)
	for i := range c.Len {
		if nulls != nil && nulls[i] {
			w.null()
			continue
		}
		before := len(w.data)
		data, err := row(w.data, i)
		switch {
		case err == nil:
			w.data = data
			if !w.end() {
				return w.array()
			}
		case errors.Is(err, errNull):
			w.data = w.data[:before]
			w.null()
		default:
			return nil, err
		}
	}
	return w.array()
}

// compiled turns argument i, a pattern of some kind, into what compile makes of it, for any row. A constant is
// compiled once per query; otherwise once for each run of equal patterns.
func compiled[P any](c *Call, i int, compile func(string) (P, error)) func(row int) (P, error) {
	type entry struct {
		text string
		made P
		err  error
	}
	col := arg[string](c, i)
	if c.Args[i].Const && c.Memo != nil && vec.IsValid(c.Args[i].Arr, 0) {
		text := col.at(0)
		kept, _ := c.Memo.Get(func() (any, error) {
			made, err := compile(text)
			return &entry{text, made, err}, nil
		})
		if e := kept.(*entry); e.text == text {
			return func(int) (P, error) { return e.made, e.err }
		}
	}
	var last *entry
	return func(row int) (P, error) {
		if text := col.at(row); last == nil || last.text != text {
			made, err := compile(text)
			last = &entry{text, made, err}
		}
		return last.made, last.err
	}
}

// eachRow lifts a function of the row's number, for bodies whose arguments are read in a way of their own.
func eachRow[R any](c *Call, f func(i int) (R, error)) (arrow.Array, error) {
	m, out := nullMaker{c.nulls(), c.Len}, make([]R, c.Len)
	for i := range out {
		if m.skip(i) {
			continue
		}
		r, err := f(i)
		if !m.keep(i, err) {
			return nil, err
		}
		out[i] = r
	}
	return writeRows(c, out, m.nulls)
}

// writeRows is write for the rows of a call: text that repeats from row to row comes dictionary-coded.
func writeRows[R any](c *Call, values []R, nulls []bool) (arrow.Array, error) {
	texts, ok := any(values).([]string)
	if !ok {
		return write(c.Result, values, nulls)
	}
	w := newTextRuns(c.Result, len(texts))
	for i, s := range texts {
		if nulls != nil && nulls[i] {
			w.null()
		} else if !w.add(s) {
			break
		}
	}
	return w.array()
}
