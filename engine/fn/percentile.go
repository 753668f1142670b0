package fn

import (
	"cmp"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var percentileAggregates = []*Aggregate{
	{
		Name: "approx_percentile",
		Doc: "The value below which a share (0 to 1) of the values lies, or an array of them; with a weight before the share, each value counts so often. " +
			"Exact up to 1000 values, else by a t-digest.",
		Example: "approx_percentile(x, 0.5) FROM (VALUES 1, 2, 3) t (x) → 2",
		Overloads: []AggregateOverload{
			{Sig: "(bigint, double) -> bigint", New: newPercentiles[int64](1)},
			{Sig: "(double, double) -> double", New: newPercentiles[float64](1)},
			{Sig: "(real, double) -> real", New: newPercentiles[float32](1)},
			{Sig: "(bigint, array(double)) -> array(bigint)", New: newPercentiles[int64](1)},
			{Sig: "(double, array(double)) -> array(double)", New: newPercentiles[float64](1)},
			{Sig: "(real, array(double)) -> array(real)", New: newPercentiles[float32](1)},
			{Sig: "(bigint, double, double) -> bigint", New: newPercentiles[int64](2)},
			{Sig: "(double, double, double) -> double", New: newPercentiles[float64](2)},
			{Sig: "(real, double, double) -> real", New: newPercentiles[float32](2)},
			{Sig: "(bigint, double, array(double)) -> array(bigint)", New: newPercentiles[int64](2)},
			{Sig: "(double, double, array(double)) -> array(double)", New: newPercentiles[float64](2)},
			{Sig: "(real, double, array(double)) -> array(real)", New: newPercentiles[float32](2)},
		},
	},
	{
		Name:    "numeric_histogram",
		Doc:     "About how the values are distributed: a map of at most so many bucket centers to their weights.",
		Example: "numeric_histogram(2, x) FROM (VALUES 1, 1, 9) t (x) → map(array[1e0, 9e0], array[2e0, 1e0])",
		Overloads: []AggregateOverload{
			{Sig: "(bigint, double) -> map(double, double)", New: newNumericHistograms},
			{Sig: "(bigint, double, double) -> map(double, double)", New: newNumericHistograms},
		},
	},
}

// centroid is a mean and a weight.
type centroid struct{ mean, weight float64 }

const (
	digestExact       = 1000 // centroids kept before the first compression, one a value
	digestCompression = 400
)

// digest is a merging t-digest (Dunning and Ertl, "Computing extremely accurate quantiles using t-digests", 2019)
// with the scale function k1: centroids are small at both ends.
type digest struct {
	centroids  []centroid
	min, max   float64
	compressed bool // a centroid may stand for several values
	sorted     int  // so many centroids, from the first, are in order
}

func (d *digest) add(x, weight float64) {
	d.push(centroid{x, weight}, x, x)
}

func (d *digest) push(c centroid, low, high float64) {
	if len(d.centroids) == 0 {
		d.min, d.max = low, high
	}
	d.min, d.max = min(d.min, low), max(d.max, high)
	d.centroids = append(d.centroids, c)
	if len(d.centroids) > 2*digestExact || !d.compressed && len(d.centroids) > digestExact {
		d.compress()
	}
}

func (d *digest) merge(o *digest) {
	for _, c := range o.centroids {
		d.push(c, o.min, o.max)
	}
	if o.compressed {
		d.compressed = true
	}
}

func (d *digest) sort() {
	if d.sorted < len(d.centroids) {
		slices.SortFunc(d.centroids, func(a, b centroid) int { return cmp.Compare(a.mean, b.mean) })
		d.sorted = len(d.centroids)
	}
}

func (d *digest) total() float64 {
	sum := 0.0
	for _, c := range d.centroids {
		sum += c.weight
	}
	return sum
}

// compress merges neighbours as far as the scale function lets them grow.
func (d *digest) compress() {
	d.sort()
	total := d.total()
	// the largest share up to which a centroid that begins at share q may reach
	limit := func(q float64) float64 {
		k := digestCompression / (2 * math.Pi) * math.Asin(2*q-1)
		return (math.Sin(min(k+1, digestCompression/4.0)*2*math.Pi/digestCompression) + 1) / 2
	}
	out, before := d.centroids[:1], 0.0
	most := limit(0) * total
	for _, c := range d.centroids[1:] {
		last := &out[len(out)-1]
		if before+last.weight+c.weight <= most {
			last.weight += c.weight
			last.mean += (c.mean - last.mean) * c.weight / last.weight
			continue
		}
		before += last.weight
		most = limit(before/total) * total
		out = append(out, c)
	}
	d.centroids, d.sorted, d.compressed = out, len(out), true
}

// quantile is the value at a share: the nearest rank while every value is kept, else between the centers of two
// centroids.
func (d *digest) quantile(share float64) float64 {
	d.sort()
	total := d.total()
	target := share * total
	if !d.compressed {
		sum := 0.0
		for _, c := range d.centroids {
			if sum += c.weight; sum >= target && sum > 0 {
				return c.mean
			}
		}
		return d.max
	}
	sum, lastCenter, lastMean := 0.0, 0.0, d.min
	for _, c := range d.centroids {
		center := sum + c.weight/2
		if target <= center {
			if center == lastCenter {
				return c.mean
			}
			return lastMean + (c.mean-lastMean)*(target-lastCenter)/(center-lastCenter)
		}
		sum += c.weight
		lastCenter, lastMean = center, c.mean
	}
	if total == lastCenter {
		return d.max
	}
	return lastMean + (d.max-lastMean)*(target-lastCenter)/(total-lastCenter)
}

// percentiles is approx_percentile.
type percentiles[T int64 | float32 | float64] struct {
	t       sqltype.Type
	at      int // which argument holds the shares; a weight is before it if it is the third
	digests []digest
	shares  []float64
}

func newPercentiles[T int64 | float32 | float64](at int) func([]sqltype.Type, sqltype.Type) Accumulator {
	return func(_ []sqltype.Type, t sqltype.Type) Accumulator { return &percentiles[T]{t: t, at: at} }
}

// share reads the shares from the first row: they are the same in all.
func (p *percentiles[T]) share(d vec.Datum) error {
	if p.shares != nil {
		return nil
	}
	p.shares = []float64{}
	if p.t.Kind == sqltype.Array {
		from, to := listsOf(d).at(0)
		p.shares = append(p.shares, fixed[float64](elementsOf(d))[from:to]...)
	} else {
		p.shares = append(p.shares, columnOf[float64](d).at(0))
	}
	for _, s := range p.shares {
		if !(s >= 0 && s <= 1) {
			return valueError("a percentile must be between 0 and 1, not %g", s)
		}
	}
	return nil
}

func (p *percentiles[T]) Update(args []vec.Datum, groups []uint32, count int) error {
	p.digests = grown(p.digests, count)
	if len(groups) == 0 {
		return nil
	}
	if err := p.share(args[p.at]); err != nil {
		return err
	}
	col, weights := columnOf[T](args[0]), column[float64]{[]float64{1}, 0}
	if p.at == 2 {
		weights = columnOf[float64](args[1])
	}
	for i, g := range groups {
		x, w := float64(col.at(i)), weights.at(i)
		if !(w >= 0) || math.IsInf(w, 1) {
			return valueError("the weight of approx_percentile must not be negative, but is %g", w)
		}
		if x == x && w > 0 {
			p.digests[g].add(x, w)
		}
	}
	return nil
}

func (p *percentiles[T]) Merge(other Accumulator, remap []uint32, count int) error {
	p.digests = grown(p.digests, count)
	o := other.(*percentiles[T])
	if p.shares == nil {
		p.shares = o.shares
	}
	for g := range o.digests {
		p.digests[remap[g]].merge(&o.digests[g])
	}
	return nil
}

func (p *percentiles[T]) Result(count int) (arrow.Array, error) {
	p.digests = grown(p.digests, count)
	nulls := make([]bool, count)
	values := make([]T, 0, count*len(p.shares))
	offsets := make([]int32, 1, count+1)
	elementType := p.t
	if p.t.Kind == sqltype.Array {
		elementType = *p.t.Elem
	}
	whole := elementType.Kind == sqltype.BigInt
	for g := range count {
		d := &p.digests[g]
		nulls[g] = len(d.centroids) == 0
		for _, s := range p.shares {
			x := 0.0
			if !nulls[g] {
				x = d.quantile(s)
			}
			if whole { // the largest double below 2^63, which a rounded bigint may reach
				x = min(math.Round(x), math.MaxInt64-1023)
			}
			values = append(values, T(x))
		}
		offsets = append(offsets, int32(len(values)))
	}
	if p.t.Kind != sqltype.Array {
		return write(p.t, grown(values, count), nulls)
	}
	elements, err := write(elementType, values, nil)
	if err != nil {
		return nil, err
	}
	return listArray(p.t, offsets, elements, nulls), nil
}

func (p *percentiles[T]) Bytes() int64 {
	n := bytesOf(p.digests)
	for i := range p.digests {
		n += bytesOf(p.digests[i].centroids)
	}
	return n
}

// numericHistograms is numeric_histogram: the streaming histogram of Ben-Haim and Tom-Tov, "A streaming parallel
// decision tree algorithm" (2010), which merges the two nearest buckets whenever there are too many.
type numericHistograms struct {
	t       sqltype.Type
	most    int
	buckets [][]centroid // sorted
}

func newNumericHistograms(_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &numericHistograms{t: t}
}

const maxBuckets = 10_000

func (h *numericHistograms) add(g uint32, c centroid) {
	b := h.buckets[g]
	at, found := slices.BinarySearchFunc(b, c.mean, func(x centroid, mean float64) int { return cmp.Compare(x.mean, mean) })
	if found {
		b[at].weight += c.weight
		return
	}
	b = slices.Insert(b, at, c)
	if len(b) > h.most {
		nearest := 0
		for i := range len(b) - 1 {
			if b[i+1].mean-b[i].mean < b[nearest+1].mean-b[nearest].mean {
				nearest = i
			}
		}
		x, y := b[nearest], b[nearest+1]
		w := x.weight + y.weight
		b[nearest] = centroid{x.mean + (y.mean-x.mean)*y.weight/w, w}
		b = slices.Delete(b, nearest+1, nearest+2)
	}
	h.buckets[g] = b
}

func (h *numericHistograms) Update(args []vec.Datum, groups []uint32, count int) error {
	h.buckets = grown(h.buckets, count)
	if len(groups) == 0 {
		return nil
	}
	n := columnOf[int64](args[0]).at(0)
	if n < 2 || n > maxBuckets {
		return valueError("numeric_histogram takes 2 to %d buckets, not %d", maxBuckets, n)
	}
	h.most = int(n)
	col, weights := columnOf[float64](args[1]), column[float64]{[]float64{1}, 0}
	if len(args) == 3 {
		weights = columnOf[float64](args[2])
	}
	for i, g := range groups {
		if x, w := col.at(i), weights.at(i); !math.IsNaN(x) && !math.IsInf(x, 0) && w > 0 && !math.IsInf(w, 0) {
			h.add(g, centroid{x, w})
		}
	}
	return nil
}

func (h *numericHistograms) Merge(other Accumulator, remap []uint32, count int) error {
	h.buckets = grown(h.buckets, count)
	o := other.(*numericHistograms)
	h.most = max(h.most, o.most)
	for g, buckets := range o.buckets {
		for _, c := range buckets {
			h.add(remap[g], c)
		}
	}
	return nil
}

func (h *numericHistograms) Result(count int) (arrow.Array, error) {
	h.buckets = grown(h.buckets, count)
	var means, weights []float64
	offsets := make([]int32, 1, count+1)
	for g := range count {
		for _, c := range h.buckets[g] {
			means, weights = append(means, c.mean), append(weights, c.weight)
		}
		offsets = append(offsets, int32(len(means)))
	}
	keys, err := write(sqltype.DoubleType, means, nil)
	if err != nil {
		return nil, err
	}
	values, err := write(sqltype.DoubleType, weights, nil)
	if err != nil {
		return nil, err
	}
	return mapArray(h.t, offsets, keys, values, emptyGroups(offsets)), nil
}

func (h *numericHistograms) Bytes() int64 {
	n := bytesOf(h.buckets)
	for _, b := range h.buckets {
		n += bytesOf(b)
	}
	return n
}
