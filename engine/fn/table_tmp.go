package fn

var comparisonFunctions, mathFunctions, bitwiseFunctions, binaryFunctions, urlFunctions, networkFunctions []*Function
var format body
