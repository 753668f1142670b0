package fn

var comparisonFunctions, mathFunctions, bitwiseFunctions, binaryFunctions, urlFunctions, networkFunctions []*Function
var countAggregates, sumAggregates, extremeAggregates, booleanAggregates, collectAggregates, distinctAggregates, percentileAggregates, momentAggregates []*Aggregate
var format body
