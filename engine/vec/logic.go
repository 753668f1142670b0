package vec

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// And returns a AND b in three-valued logic: false wins over NULL.
func And(a, b *array.Boolean) *array.Boolean {
	n := a.Len()
	av, bv, aok, bok := valuesOf(a), valuesOf(b), validityOf(a), validityOf(b)
	values := newBitmap(n)
	for i := range values {
		values[i] = av[i] & bv[i]
	}
	if aok == nil && bok == nil {
		return newBoolean(values, n, nil)
	}
	aok, bok = aok.orOnes(n), bok.orOnes(n)
	valid := newBitmap(n)
	for i := range valid {
		valid[i] = aok[i]&bok[i] | aok[i]&^av[i] | bok[i]&^bv[i]
	}
	return newBoolean(values, n, valid)
}

// Or returns a OR b in three-valued logic: true wins over NULL.
func Or(a, b *array.Boolean) *array.Boolean {
	n := a.Len()
	av, bv, aok, bok := valuesOf(a), valuesOf(b), validityOf(a), validityOf(b)
	values := newBitmap(n)
	if aok == nil && bok == nil {
		for i := range values {
			values[i] = av[i] | bv[i]
		}
		return newBoolean(values, n, nil)
	}
	aok, bok = aok.orOnes(n), bok.orOnes(n)
	valid := newBitmap(n)
	for i := range valid {
		at, bt := aok[i]&av[i], bok[i]&bv[i]
		values[i] = at | bt
		valid[i] = aok[i]&bok[i] | at | bt
	}
	return newBoolean(values, n, valid)
}

// Not returns NOT a; NULL stays NULL.
func Not(a *array.Boolean) *array.Boolean {
	n := a.Len()
	av := valuesOf(a)
	values := newBitmap(n)
	for i := range values {
		values[i] = ^av[i]
	}
	return newBoolean(values, n, validityOf(a))
}

// IsNull returns true where a is NULL, false elsewhere.
func IsNull(a arrow.Array) *array.Boolean {
	n := a.Len()
	values := newBitmap(n)
	if valid := validityOf(a); valid != nil {
		for i := range values {
			values[i] = ^valid[i]
		}
	}
	return newBoolean(values, n, nil)
}

// True returns the rows in which a, a boolean column, is true.
func True(a arrow.Array) []int32 {
	b, ok := a.(*array.Boolean)
	if !ok { // of type unknown
		return []int32{}
	}
	return valuesOf(b).and(validityOf(b)).rows(b.Len())
}

func (b bitmap) orOnes(n int) bitmap {
	if b == nil {
		return ones(n)
	}
	return b
}
