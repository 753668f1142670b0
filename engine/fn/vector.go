package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/vec"
)

var vectorFunctions = []*Function{
	{
		Name: "cosine_similarity", Category: maths, CanFail: true,
		Doc:       "The cosine of the angle between two vectors, given as arrays or as maps of the parts that are not zero; NULL if one has no length.",
		Example:   "cosine_similarity(map(array['a'], array[1.0]), map(array['a'], array[2.0])) → 1e0",
		Overloads: vectorOverloads(vectorSums.cosine),
	},
	{
		Name: "cosine_distance", Category: maths, CanFail: true,
		Doc:     "One less cosine_similarity.",
		Example: "cosine_distance(array[1.0, 0.0], array[0.0, 2.0]) → 1e0",
		Overloads: vectorOverloads(func(s vectorSums) (float64, error) {
			similarity, err := s.cosine()
			return 1 - similarity, err
		}),
	},
	{
		Name: "dot_product", Category: maths, CanFail: true,
		Doc:     "The sum of the products of two vectors' parts.",
		Example: "dot_product(array[1.0, 2.0], array[3.0, 4.0]) → 11e0",
		Overloads: []Overload{{Sig: "(array(double), array(double)) -> double",
			Eval: overArrays(func(s vectorSums) (float64, error) { return s.dot, nil })}},
	},
	{
		Name: "euclidean_distance", Category: maths, CanFail: true,
		Doc:     "The distance of two points, given as arrays of coordinates.",
		Example: "euclidean_distance(array[1.0, 2.0], array[4.0, 6.0]) → 5e0",
		Overloads: []Overload{{Sig: "(array(double), array(double)) -> double",
			Eval: overArrays(func(s vectorSums) (float64, error) { return math.Sqrt(s.apart), nil })}},
	},
}

// vectorSums are sums over the parts of two vectors: of their products, of the squares of each one's, of the squares of their differences.
type vectorSums struct{ dot, left, right, apart float64 }

func (s *vectorSums) add(x, y float64) {
	s.dot, s.left, s.right, s.apart = s.dot+x*y, s.left+x*x, s.right+y*y, s.apart+(x-y)*(x-y)
}

func (s vectorSums) cosine() (float64, error) {
	if s.left == 0 || s.right == 0 {
		return 0, errNull
	}
	return s.dot / (math.Sqrt(s.left) * math.Sqrt(s.right)), nil
}

func vectorOverloads(f func(vectorSums) (float64, error)) []Overload {
	return []Overload{
		{Sig: "(map(varchar, double), map(varchar, double)) -> double", Eval: overMaps(f)},
		{Sig: "(array(double), array(double)) -> double", Eval: overArrays(f)},
	}
}

func overArrays(f func(vectorSums) (float64, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a, b := listsOf(c.Args[0]), listsOf(c.Args[1])
		left, right := elementsOf(c.Args[0]), elementsOf(c.Args[1])
		x, y := fixed[float64](left), fixed[float64](right)
		return eachRow(c, func(row int) (float64, error) {
			af, at := a.at(row)
			bf, bt := b.at(row)
			if at-af != bt-bf {
				return 0, valueError("the vectors have different dimensions: %d and %d", at-af, bt-bf)
			}
			var s vectorSums
			for k := range at - af {
				if !vec.IsValid(left, int(af+k)) || !vec.IsValid(right, int(bf+k)) {
					return 0, errNull
				}
				s.add(x[af+k], y[bf+k])
			}
			return f(s)
		})
	}
}

// overMaps takes keys that a map lacks as zero.
func overMaps(f func(vectorSums) (float64, error)) body {
	return func(c *Call) (arrow.Array, error) {
		a, b := listsOf(c.Args[0]), listsOf(c.Args[1])
		am, bm := mapsOf(c.Args[0]), mapsOf(c.Args[1])
		ak, bk := am.Keys().(*array.String), bm.Keys().(*array.String)
		x, y := fixed[float64](am.Items()), fixed[float64](bm.Items())
		other := map[string]float64{}
		return eachRow(c, func(row int) (float64, error) {
			clear(other)
			var s vectorSums
			from, to := b.at(row)
			for e := from; e < to; e++ {
				if !vec.IsValid(bm.Items(), int(e)) {
					return 0, errNull
				}
				other[bk.Value(int(e))] = y[e]
				s.right += y[e] * y[e]
			}
			from, to = a.at(row)
			for e := from; e < to; e++ {
				if !vec.IsValid(am.Items(), int(e)) {
					return 0, errNull
				}
				s.dot, s.left = s.dot+x[e]*other[ak.Value(int(e))], s.left+x[e]*x[e]
			}
			return f(s)
		})
	}
}
