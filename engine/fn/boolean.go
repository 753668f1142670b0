package fn

var booleanAggregates = []*Aggregate{
	{
		Name: "bool_and", Aliases: []string{"every"},
		Doc:       "Whether all values are true; NULL if there are none.",
		Example:   "bool_and(x) FROM (VALUES true, false) t (x) → false",
		Overloads: []AggregateOverload{{Sig: "(boolean) -> boolean", New: newFold[bool, bool, conjunction]}},
	},
	{
		Name:      "bool_or",
		Doc:       "Whether a value is true; NULL if there are none.",
		Example:   "bool_or(x) FROM (VALUES true, false) t (x) → true",
		Overloads: []AggregateOverload{{Sig: "(boolean) -> boolean", New: newFold[bool, bool, disjunction]}},
	},
	{
		Name:      "bitwise_and_agg",
		Doc:       "The bits that all values have.",
		Example:   "bitwise_and_agg(x) FROM (VALUES 6, 3) t (x) → 2",
		Overloads: []AggregateOverload{{Sig: "(bigint) -> bigint", New: newFold[int64, int64, bitAnd]}},
	},
	{
		Name:      "bitwise_or_agg",
		Doc:       "The bits that any value has.",
		Example:   "bitwise_or_agg(x) FROM (VALUES 6, 3) t (x) → 7",
		Overloads: []AggregateOverload{{Sig: "(bigint) -> bigint", New: newFold[int64, int64, bitOr]}},
	},
	{
		Name:      "bitwise_xor_agg",
		Doc:       "The bits that an odd number of values have.",
		Example:   "bitwise_xor_agg(x) FROM (VALUES 6, 3) t (x) → 5",
		Overloads: []AggregateOverload{{Sig: "(bigint) -> bigint", New: newFold[int64, int64, bitXor]}},
	},
}

// The states below are the operation over the values so far; some says that there was one.

type conjunction struct{ all, some bool }

func (s conjunction) add(x bool) conjunction { return conjunction{x && (s.all || !s.some), true} }
func (s conjunction) merge(o conjunction) conjunction {
	if !o.some {
		return s
	}
	return s.add(o.all)
}
func (s conjunction) result() (bool, bool) { return s.all, s.some }

type disjunction struct{ any, some bool }

func (s disjunction) add(x bool) disjunction { return disjunction{x || s.any, true} }
func (s disjunction) merge(o disjunction) disjunction {
	return disjunction{s.any || o.any, s.some || o.some}
}
func (s disjunction) result() (bool, bool) { return s.any, s.some }

type bitAnd struct {
	bits int64
	some bool
}

func (s bitAnd) add(x int64) bitAnd {
	if s.some {
		x &= s.bits
	}
	return bitAnd{x, true}
}
func (s bitAnd) merge(o bitAnd) bitAnd {
	if !o.some {
		return s
	}
	return s.add(o.bits)
}
func (s bitAnd) result() (int64, bool) { return s.bits, s.some }

type bitOr struct {
	bits int64
	some bool
}

func (s bitOr) add(x int64) bitOr     { return bitOr{s.bits | x, true} }
func (s bitOr) merge(o bitOr) bitOr   { return bitOr{s.bits | o.bits, s.some || o.some} }
func (s bitOr) result() (int64, bool) { return s.bits, s.some }

type bitXor struct {
	bits int64
	some bool
}

func (s bitXor) add(x int64) bitXor    { return bitXor{s.bits ^ x, true} }
func (s bitXor) merge(o bitXor) bitXor { return bitXor{s.bits ^ o.bits, s.some || o.some} }
func (s bitXor) result() (int64, bool) { return s.bits, s.some }
