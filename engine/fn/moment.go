package fn

import (
	"math"

	"github.com/trailql/trailql/engine/sqltype"
)

var momentAggregates = []*Aggregate{
	{
		Name: "stddev_samp", Aliases: []string{"stddev"},
		Doc:       "The standard deviation of a sample; NULL for fewer than two values.",
		Example:   "stddev(x) FROM (VALUES 1, 3) t (x) → 1.4142135623730951",
		Overloads: overDouble(newFold[float64, float64, stddevSample]),
	},
	{
		Name:      "stddev_pop",
		Doc:       "The standard deviation of all values.",
		Example:   "stddev_pop(x) FROM (VALUES 1, 3) t (x) → 1.0",
		Overloads: overDouble(newFold[float64, float64, stddevAll]),
	},
	{
		Name: "var_samp", Aliases: []string{"variance"},
		Doc:       "The variance of a sample; NULL for fewer than two values.",
		Example:   "variance(x) FROM (VALUES 1, 3) t (x) → 2.0",
		Overloads: overDouble(newFold[float64, float64, varianceSample]),
	},
	{
		Name:      "var_pop",
		Doc:       "The variance of all values.",
		Example:   "var_pop(x) FROM (VALUES 1, 3) t (x) → 1.0",
		Overloads: overDouble(newFold[float64, float64, varianceAll]),
	},
	{
		Name:      "skewness",
		Doc:       "The skewness; NULL for fewer than three values.",
		Example:   "skewness(x) FROM (VALUES 1, 2, 3) t (x) → 0.0",
		Overloads: overDouble(newFold[float64, float64, skewness]),
	},
	{
		Name:      "kurtosis",
		Doc:       "The excess kurtosis of a sample; NULL for fewer than four values.",
		Example:   "round(kurtosis(x), 3) FROM (VALUES 1, 2, 3, 4) t (x) → -1.2",
		Overloads: overDouble(newFold[float64, float64, kurtosis]),
	},
	{
		Name:      "geometric_mean",
		Doc:       "The geometric mean.",
		Example:   "geometric_mean(x) FROM (VALUES 2, 8) t (x) → 4.0",
		Overloads: overDouble(newFold[float64, float64, geometricMean]),
	},
	{
		Name:      "corr",
		Doc:       "The correlation of two numbers.",
		Example:   "corr(y, x) FROM (VALUES (1, 1), (2, 2)) t (y, x) → 1.0",
		Overloads: overDoubles(newFoldPairs[float64, float64, float64, correlation]),
	},
	{
		Name:      "covar_pop",
		Doc:       "The covariance of all pairs.",
		Example:   "covar_pop(y, x) FROM (VALUES (1, 1), (3, 3)) t (y, x) → 1.0",
		Overloads: overDoubles(newFoldPairs[float64, float64, float64, covarianceAll]),
	},
	{
		Name:      "covar_samp",
		Doc:       "The covariance of a sample of pairs; NULL for fewer than two.",
		Example:   "covar_samp(y, x) FROM (VALUES (1, 1), (3, 3)) t (y, x) → 2.0",
		Overloads: overDoubles(newFoldPairs[float64, float64, float64, covarianceSample]),
	},
	{
		Name:      "regr_slope",
		Doc:       "The slope of the line that fits the pairs (y, x) best.",
		Example:   "regr_slope(y, x) FROM (VALUES (1, 1), (3, 2)) t (y, x) → 2.0",
		Overloads: overDoubles(newFoldPairs[float64, float64, float64, slope]),
	},
	{
		Name:      "regr_intercept",
		Doc:       "Where the line that fits the pairs (y, x) best meets x = 0.",
		Example:   "regr_intercept(y, x) FROM (VALUES (1, 1), (3, 2)) t (y, x) → -1.0",
		Overloads: overDoubles(newFoldPairs[float64, float64, float64, intercept]),
	},
	regression[meanX]("regr_avgx", "The mean of x in the pairs (y, x).", "regr_avgx(y, x) FROM (VALUES (1, 1), (3, 2)) t (y, x) → 1.5e0"),
	regression[meanY]("regr_avgy", "The mean of y in the pairs (y, x).", "regr_avgy(y, x) FROM (VALUES (1, 1), (3, 2)) t (y, x) → 2e0"),
	regression[pairCount]("regr_count", "How many pairs (y, x) there are in which neither is NULL.", "regr_count(y, x) FROM (VALUES (1, 1), (3, NULL)) t (y, x) → 1e0"),
	regression[sumXX]("regr_sxx", "The sum of the squared distances of x from its mean.", "regr_sxx(y, x) FROM (VALUES (1, 1), (3, 2)) t (y, x) → 0.5e0"),
	regression[sumYY]("regr_syy", "The sum of the squared distances of y from its mean.", "regr_syy(y, x) FROM (VALUES (1, 1), (3, 2)) t (y, x) → 2e0"),
	regression[sumXY]("regr_sxy", "The sum of the products of both distances from the means.", "regr_sxy(y, x) FROM (VALUES (1, 1), (3, 2)) t (y, x) → 1e0"),
	regression[determination]("regr_r2", "How much of y the line that fits best explains, from 0 to 1.", "regr_r2(y, x) FROM (VALUES (1, 1), (3, 2)) t (y, x) → 1e0"),
}

// regression makes an aggregate of the second moments of pairs.
func regression[S state[S, pair[float64, float64], float64]](name, doc, example string) *Aggregate {
	return &Aggregate{Name: name, Doc: doc, Example: example, Overloads: overDoubles(newFoldPairs[float64, float64, float64, S])}
}

func overDouble(f func([]sqltype.Type, sqltype.Type) Accumulator) []AggregateOverload {
	return []AggregateOverload{{Sig: "(double) -> double", New: f}}
}

func overDoubles(f func([]sqltype.Type, sqltype.Type) Accumulator) []AggregateOverload {
	return []AggregateOverload{{Sig: "(double, double) -> double", New: f}}
}

// moments are the count, the mean and the sums of the powers of the distances from the mean, kept up by the
// formulas of Pébay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
// statistical moments" (2008). A single value is merged as a sample of one.
type moments struct{ n, mean, m2, m3, m4 float64 }

func (a moments) plus(b moments) moments {
	if a.n == 0 {
		return b
	}
	if b.n == 0 {
		return a
	}
	n, d := a.n+b.n, b.mean-a.mean
	ab := a.n * b.n
	return moments{
		n:    n,
		mean: a.mean + d*b.n/n,
		m2:   a.m2 + b.m2 + d*d*ab/n,
		m3:   a.m3 + b.m3 + d*d*d*ab*(a.n-b.n)/(n*n) + 3*d*(a.n*b.m2-b.n*a.m2)/n,
		m4: a.m4 + b.m4 + d*d*d*d*ab*(a.n*a.n-ab+b.n*b.n)/(n*n*n) +
			6*d*d*(a.n*a.n*b.m2+b.n*b.n*a.m2)/(n*n) + 4*d*(a.n*b.m3-b.n*a.m3)/n,
	}
}

func one(x float64) moments {
	d := x - x // NaN for what has no distance from itself: an infinity
	return moments{n: 1, mean: x, m2: d, m3: d, m4: d}
}

type varianceSample moments

func (s varianceSample) add(x float64) varianceSample {
	return varianceSample(moments(s).plus(one(x)))
}
func (s varianceSample) merge(o varianceSample) varianceSample {
	return varianceSample(moments(s).plus(moments(o)))
}
func (s varianceSample) result() (float64, bool) { return s.m2 / (s.n - 1), s.n > 1 }

type varianceAll moments

func (s varianceAll) add(x float64) varianceAll { return varianceAll(moments(s).plus(one(x))) }
func (s varianceAll) merge(o varianceAll) varianceAll {
	return varianceAll(moments(s).plus(moments(o)))
}
func (s varianceAll) result() (float64, bool) { return s.m2 / s.n, s.n > 0 }

type stddevSample moments

func (s stddevSample) add(x float64) stddevSample { return stddevSample(moments(s).plus(one(x))) }
func (s stddevSample) merge(o stddevSample) stddevSample {
	return stddevSample(moments(s).plus(moments(o)))
}
func (s stddevSample) result() (float64, bool) { return math.Sqrt(s.m2 / (s.n - 1)), s.n > 1 }

type stddevAll moments

func (s stddevAll) add(x float64) stddevAll     { return stddevAll(moments(s).plus(one(x))) }
func (s stddevAll) merge(o stddevAll) stddevAll { return stddevAll(moments(s).plus(moments(o))) }
func (s stddevAll) result() (float64, bool)     { return math.Sqrt(s.m2 / s.n), s.n > 0 }

type skewness moments

func (s skewness) add(x float64) skewness    { return skewness(moments(s).plus(one(x))) }
func (s skewness) merge(o skewness) skewness { return skewness(moments(s).plus(moments(o))) }
func (s skewness) result() (float64, bool) {
	return math.Sqrt(s.n) * s.m3 / math.Pow(s.m2, 1.5), s.n > 2
}

type kurtosis moments

func (s kurtosis) add(x float64) kurtosis    { return kurtosis(moments(s).plus(one(x))) }
func (s kurtosis) merge(o kurtosis) kurtosis { return kurtosis(moments(s).plus(moments(o))) }
func (s kurtosis) result() (float64, bool) {
	n := s.n
	return n*(n+1)*(n-1)/((n-2)*(n-3))*s.m4/(s.m2*s.m2) - 3*(n-1)*(n-1)/((n-2)*(n-3)), n > 3
}

type geometricMean struct{ n, logs float64 }

func (s geometricMean) add(x float64) geometricMean {
	return geometricMean{s.n + 1, s.logs + math.Log(x)}
}
func (s geometricMean) merge(o geometricMean) geometricMean {
	return geometricMean{s.n + o.n, s.logs + o.logs}
}
func (s geometricMean) result() (float64, bool) { return math.Exp(s.logs / s.n), s.n > 0 }

// comoments are the second moments of pairs, from the same source.
type comoments struct{ n, meanX, meanY, xx, yy, xy float64 }

func (a comoments) plus(b comoments) comoments {
	if a.n == 0 {
		return b
	}
	if b.n == 0 {
		return a
	}
	n, dx, dy := a.n+b.n, b.meanX-a.meanX, b.meanY-a.meanY
	w := a.n * b.n / n
	return comoments{
		n: n, meanX: a.meanX + dx*b.n/n, meanY: a.meanY + dy*b.n/n,
		xx: a.xx + b.xx + dx*dx*w, yy: a.yy + b.yy + dy*dy*w, xy: a.xy + b.xy + dx*dy*w,
	}
}

// onePair is the sample of one row: the first argument is y, the second x.
func onePair(p pair[float64, float64]) comoments {
	dx, dy := p.b-p.b, p.a-p.a // as in one
	return comoments{n: 1, meanX: p.b, meanY: p.a, xx: dx, yy: dy, xy: dx * dy}
}

type correlation comoments

func (s correlation) add(p pair[float64, float64]) correlation {
	return correlation(comoments(s).plus(onePair(p)))
}
func (s correlation) merge(o correlation) correlation {
	return correlation(comoments(s).plus(comoments(o)))
}
func (s correlation) result() (float64, bool) {
	return s.xy / math.Sqrt(s.xx*s.yy), s.xx != 0 && s.yy != 0
}

type covarianceAll comoments

func (s covarianceAll) add(p pair[float64, float64]) covarianceAll {
	return covarianceAll(comoments(s).plus(onePair(p)))
}
func (s covarianceAll) merge(o covarianceAll) covarianceAll {
	return covarianceAll(comoments(s).plus(comoments(o)))
}
func (s covarianceAll) result() (float64, bool) { return s.xy / s.n, s.n > 0 }

type covarianceSample comoments

func (s covarianceSample) add(p pair[float64, float64]) covarianceSample {
	return covarianceSample(comoments(s).plus(onePair(p)))
}
func (s covarianceSample) merge(o covarianceSample) covarianceSample {
	return covarianceSample(comoments(s).plus(comoments(o)))
}
func (s covarianceSample) result() (float64, bool) { return s.xy / (s.n - 1), s.n > 1 }

type slope comoments

func (s slope) add(p pair[float64, float64]) slope { return slope(comoments(s).plus(onePair(p))) }
func (s slope) merge(o slope) slope                { return slope(comoments(s).plus(comoments(o))) }
func (s slope) result() (float64, bool)            { return s.xy / s.xx, s.xx != 0 }

type intercept comoments

func (s intercept) add(p pair[float64, float64]) intercept {
	return intercept(comoments(s).plus(onePair(p)))
}
func (s intercept) merge(o intercept) intercept { return intercept(comoments(s).plus(comoments(o))) }
func (s intercept) result() (float64, bool)     { return s.meanY - s.xy/s.xx*s.meanX, s.xx != 0 }

type meanX comoments

func (s meanX) add(p pair[float64, float64]) meanX { return meanX(comoments(s).plus(onePair(p))) }
func (s meanX) merge(o meanX) meanX                { return meanX(comoments(s).plus(comoments(o))) }
func (s meanX) result() (float64, bool)            { return s.meanX, s.n > 0 }

type meanY comoments

func (s meanY) add(p pair[float64, float64]) meanY { return meanY(comoments(s).plus(onePair(p))) }
func (s meanY) merge(o meanY) meanY                { return meanY(comoments(s).plus(comoments(o))) }
func (s meanY) result() (float64, bool)            { return s.meanY, s.n > 0 }

type pairCount comoments

func (s pairCount) add(p pair[float64, float64]) pairCount {
	return pairCount(comoments(s).plus(onePair(p)))
}
func (s pairCount) merge(o pairCount) pairCount { return pairCount(comoments(s).plus(comoments(o))) }
func (s pairCount) result() (float64, bool)     { return s.n, true }

type sumXX comoments

func (s sumXX) add(p pair[float64, float64]) sumXX { return sumXX(comoments(s).plus(onePair(p))) }
func (s sumXX) merge(o sumXX) sumXX                { return sumXX(comoments(s).plus(comoments(o))) }
func (s sumXX) result() (float64, bool)            { return s.xx, s.n > 0 }

type sumYY comoments

func (s sumYY) add(p pair[float64, float64]) sumYY { return sumYY(comoments(s).plus(onePair(p))) }
func (s sumYY) merge(o sumYY) sumYY                { return sumYY(comoments(s).plus(comoments(o))) }
func (s sumYY) result() (float64, bool)            { return s.yy, s.n > 0 }

type sumXY comoments

func (s sumXY) add(p pair[float64, float64]) sumXY { return sumXY(comoments(s).plus(onePair(p))) }
func (s sumXY) merge(o sumXY) sumXY                { return sumXY(comoments(s).plus(comoments(o))) }
func (s sumXY) result() (float64, bool)            { return s.xy, s.n > 0 }

type determination comoments

func (s determination) add(p pair[float64, float64]) determination {
	return determination(comoments(s).plus(onePair(p)))
}
func (s determination) merge(o determination) determination {
	return determination(comoments(s).plus(comoments(o)))
}
func (s determination) result() (float64, bool) {
	if s.yy == 0 { // every line through them
		return 1, s.n > 0 && s.xx != 0
	}
	return s.xy * s.xy / (s.xx * s.yy), s.n > 0 && s.xx != 0
}
