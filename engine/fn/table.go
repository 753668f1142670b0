package fn

import (
	"fmt"
	"slices"
	"strings"
)

// The one table. A function that is not reachable from these lists does not exist.
var (
	functions = slices.Concat(
		operatorFunctions, comparisonFunctions, stringFunctions, regexpFunctions, jsonFunctions,
		dateFunctions, mathFunctions, bitwiseFunctions, binaryFunctions, arrayFunctions, mapFunctions,
		lambdaFunctions, lambdaMapFunctions, urlFunctions, networkFunctions, arrayPartFunctions, byteFormFunctions, distributionFunctions, textFormFunctions, sqlJSONFunctions,
		teradataFunctions, vectorFunctions,
		sessionFunctions,
	)
	aggregates = slices.Concat(
		countAggregates, sumAggregates, extremeAggregates, booleanAggregates, collectAggregates,
		distinctAggregates, percentileAggregates, momentAggregates, checksumAggregates, setAggregates, frequentAggregates,
	)
	functionIndex  = indexFunctions()
	aggregateIndex = indexAggregates()
	windowIndex    = indexWindows()
)

func indexFunctions() map[string]*Function {
	index := make(map[string]*Function, 2*len(functions))
	for _, f := range functions {
		for i := range f.Overloads {
			f.Overloads[i].sig = parseSignature(f.Overloads[i].Sig)
		}
		enter(index, f, f.Name, f.Aliases)
	}
	return index
}

func indexAggregates() map[string]*Aggregate {
	index := make(map[string]*Aggregate, 2*len(aggregates))
	for _, a := range aggregates {
		for i := range a.Overloads {
			a.Overloads[i].sig = parseSignature(a.Overloads[i].Sig)
		}
		enter(index, a, a.Name, a.Aliases)
	}
	return index
}

// indexWindows has the aggregates among the window functions.
func indexWindows() map[string]*WindowFunction {
	index := make(map[string]*WindowFunction, len(windowFunctions)+2*len(aggregateIndex))
	all := slices.Clone(windowFunctions)
	for _, a := range aggregates {
		all = append(all, overFrames(a))
	}
	for _, w := range all {
		for i := range w.Overloads {
			w.Overloads[i].sig = parseSignature(w.Overloads[i].Sig)
		}
		enter(index, w, w.Name, w.Aliases)
	}
	return index
}

// enter files a record under all its names; a name taken twice is a defect of the table.
func enter[R any](index map[string]R, record R, name string, aliases []string) {
	for _, n := range append([]string{name}, aliases...) {
		if _, taken := index[n]; taken || n != strings.ToLower(n) {
			panic(fmt.Sprintf("fn: %q is taken or not in lower case", n))
		}
		index[n] = record
	}
}

// Lookup finds a scalar function by name or alias, case aside.
func Lookup(name string) (*Function, bool) {
	f, ok := functionIndex[strings.ToLower(name)]
	return f, ok
}

// LookupAggregate finds an aggregate function by name or alias, case aside.
func LookupAggregate(name string) (*Aggregate, bool) {
	a, ok := aggregateIndex[strings.ToLower(name)]
	return a, ok
}

// LookupWindow finds a window function by name or alias, case aside; all aggregates are window functions, too.
func LookupWindow(name string) (*WindowFunction, bool) {
	w, ok := windowIndex[strings.ToLower(name)]
	return w, ok
}

// Names returns the names and aliases of all functions that can be called by name, sorted: operators and the
// functions that only the planner calls are left out.
func Names() []string {
	var names []string
	for name, f := range functionIndex {
		if f.Category != operators && f.Category != internal {
			names = append(names, name)
		}
	}
	for name := range windowIndex { // aggregates are among them
		names = append(names, name)
	}
	for _, f := range forms {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// All returns every scalar function, operators included, in the order of the manual.
func All() []*Function { return slices.Clone(functions) }

// Aggregates returns every aggregate function in the order of the manual.
func Aggregates() []*Aggregate { return slices.Clone(aggregates) }

// Windows returns the functions that are only window functions, in the order of the manual.
func Windows() []*WindowFunction { return slices.Clone(windowFunctions) }

// Chapters of the manual.
const (
	operators  = "operators"
	internal   = "internal"
	conditions = "conditional"
	text       = "string"
	regexps    = "regular expression"
	jsons      = "JSON"
	dates      = "date and time"
	maths      = "mathematical"
	bitwise    = "bitwise"
	binaries   = "binary"
	arrays     = "array"
	maps       = "map"
	lambdas    = "lambda"
	urls       = "URL"
	networks   = "IP address"
)
