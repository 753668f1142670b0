// Package fn is the one table of scalar and aggregate functions: a record each,
// from which binding, evaluation, the manual and completion are fed.
//
// A body works on whole columns. It gets plain (never dictionary-coded) arrays;
// package expr lifts it over dictionaries, so a body need not care.
package fn

import (
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Session is what a function may know of its query.
type Session struct {
	Now     time.Time      // the start of the query: now() does not move within it
	Zone    *time.Location // of the session, UTC by default
	User    string         // who asks; "": not known
	Catalog string         // "": CatalogName
	Schema  string         // of names without one; "": DefaultSchema

	PerEntry *PerEntry // of the query; nil: nothing is kept from batch to batch
}

// Function is one scalar function. Overloads are tried in order: first an exact match, then with coercions.
type Function struct {
	Name      string // lower case; operators are named by their sign: "+", "||", "like"
	Aliases   []string
	Category  string // "string", "date and time", …: the manual's chapters
	Doc       string // one or two sentences, ending in a full stop
	Example   string // an expression and its result: "substr('abc', 2) → 'bc'"; run by a test
	Overloads []Overload
	// NullCall: the body is called on NULL arguments and decides itself. Otherwise NULL in any argument gives NULL,
	// and what the body computes in those rows is discarded (but it must not fail on them: their values are zero or empty).
	NullCall bool
	// Volatile: each row, each call anew (random, uuid); never folded or lifted.
	Volatile bool
	// Clock: the body reads the clock or who asks, so that the answer differs from query to query.
	Clock bool
	// CanFail: the body can return an error for some values; then it is only run on rows that need it.
	CanFail bool
	// FailsByConstants: it can fail, but with constants that it takes behind the first argument, a text, it never does.
	FailsByConstants bool
}

// Overload is one signature with its body.
type Overload struct {
	// Sig is "(varchar, bigint) -> varchar". Type variables are single capitals ("(array(T), T) -> boolean"; O stands
	// only for types whose values have an order),
	// a last parameter followed by "..." repeats ("(varchar, varchar...) -> varchar"), "decimal" takes any
	// decimal, "any" anything at all, each argument by itself, "function(T, U)" a lambda that makes a U of a T. Parsed when the table is built; a bad one panics there.
	Sig string
	// Result, where set, computes the result type from the argument types (decimals); it overrides Sig's.
	Result func(args []sqltype.Type) sqltype.Type
	Eval   func(c *Call) (arrow.Array, error)

	sig signature // of Sig
}

// Call is one evaluation of a body over Len rows (at least 1). A Const argument has one row and stands for all.
// If every argument is Const, Len is 1. The result has Len rows; text of many rows may come dictionary-coded.
type Call struct {
	Args    []vec.Datum    // without those that are lambdas
	Types   []sqltype.Type // of Args
	Lambdas []Lambda       // the arguments that are lambdas, in order
	Result  sqltype.Type
	Len     int
	Session *Session
	// Memo lives as long as the bound expression: what is derived from constant arguments (a compiled pattern)
	// is kept there. Safe for concurrent use.
	Memo *Memo
}

// Lambda evaluates a lambda over len(rows) rows at once: args are its parameters, of as many rows; rows[i], a row of the call, is where
// its row i takes the columns of the query from. The result is plain and has as many rows.
type Lambda func(args []arrow.Array, rows []int32) (arrow.Array, error)

// Memo keeps one value derived from constant arguments.
type Memo struct {
	once  sync.Once
	value any
	err   error
}

// Get returns the kept value, computed by make at the first call.
func (m *Memo) Get(make func() (any, error)) (any, error) {
	m.once.Do(func() { m.value, m.err = make() })
	return m.value, m.err
}

// Aggregate is one aggregate function.
type Aggregate struct {
	Name      string
	Aliases   []string
	Doc       string
	Example   string
	Overloads []AggregateOverload
	// OrderSensitive: the result depends on the order of the input (array_agg).
	OrderSensitive bool
	// KeepsNulls: rows whose arguments are NULL reach the accumulator (array_agg, count(*)); otherwise the caller
	// drops rows in which any argument is NULL.
	KeepsNulls bool
}

// AggregateOverload is one signature of an aggregate; Sig as in Overload, "() -> bigint" for count(*).
type AggregateOverload struct {
	Sig    string
	Result func(args []sqltype.Type) sqltype.Type
	New    func(args []sqltype.Type, result sqltype.Type) Accumulator

	sig signature // of Sig
}

// Accumulator holds the states of all groups of one aggregate. Used by one goroutine at a time.
type Accumulator interface {
	// Update adds rows: groups[i] is the dense group of row i, all below count; states grow to count.
	// Arguments are plain or dictionary-coded columns of len(groups) rows, or Const.
	Update(args []vec.Datum, groups []uint32, count int) error
	// Merge adds the states of other, an accumulator made by the same overload: its group i goes to remap[i], all below count.
	Merge(other Accumulator, remap []uint32, count int) error
	// Gather returns a new accumulator whose group i has the state of group from[i]; from names no group twice where states may grow. Both may
	// then be added to.
	Gather(from []uint32) Accumulator
	// Result returns one row per group 0…count-1; a group never updated has the value of empty input.
	Result(count int) (arrow.Array, error)
	// Bytes is the memory held, for the query's budget.
	Bytes() int64
}
