package fn

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/vec"
)

// This file holds the Gather of every accumulator.

// gathered is states[from[i]] for each i; groups that no row was added to yet have the zero state.
func gathered[S any](states []S, from []uint32) []S {
	out := make([]S, len(from))
	for i, g := range from {
		if int(g) < len(states) {
			out[i] = states[g]
		}
	}
	return out
}

// none is the new number of a group that is left out.
const none = ^uint32(0)

// newNumbers has the place in from of each group that occurs in groups, none where it is not in there.
func newNumbers(from, groups []uint32) []uint32 {
	n := uint32(0)
	for _, g := range groups {
		n = max(n, g+1)
	}
	out := make([]uint32, n)
	for g := range out {
		out[g] = none
	}
	for i, g := range from {
		if g < n {
			out[g] = uint32(i)
		}
	}
	return out
}

func (c *counts) Gather(from []uint32) Accumulator {
	return &counts{condition: c.condition, of: gathered(c.of, from)}
}

func (s *integerSums[T]) Gather(from []uint32) Accumulator {
	return &integerSums[T]{t: s.t, mean: s.mean, sums: gathered(s.sums, from), counts: gathered(s.counts, from)}
}

func (s *floatSums[T]) Gather(from []uint32) Accumulator {
	return &floatSums[T]{t: s.t, sums: gathered(s.sums, from), counts: gathered(s.counts, from)}
}

func (m *means[T]) Gather(from []uint32) Accumulator {
	return &means[T]{t: m.t, sums: gathered(m.sums, from), counts: gathered(m.counts, from)}
}

func (s *decimalSums) Gather(from []uint32) Accumulator {
	return &decimalSums{t: s.t, mean: s.mean, sums: gathered(s.sums, from), counts: gathered(s.counts, from)}
}

func (f *fold[A, R, S]) Gather(from []uint32) Accumulator {
	return &fold[A, R, S]{t: f.t, states: gathered(f.states, from)}
}

func (f *foldPairs[A, B, R, S]) Gather(from []uint32) Accumulator {
	return &foldPairs[A, B, R, S]{fold[pair[A, B], R, S]{t: f.t, states: gathered(f.states, from)}}
}

func (e *extremes) Gather(from []uint32) Accumulator { return &extremes{e.t, e.best.gather(from)} }

func (e *extremesBy) Gather(from []uint32) Accumulator {
	return &extremesBy{t: e.t, best: e.best.gather(from), values: e.values.picked(from)}
}

func (f *firsts) Gather(from []uint32) Accumulator {
	return &firsts{t: f.t, values: f.values.picked(from)}
}

func (o *ordered[T]) gather(from []uint32) extreme {
	out := &ordered[T]{greatest: o.greatest, best: gathered(o.best, from), has: gathered(o.has, from)}
	if texts, ok := any(out.best).([]string); ok {
		for _, s := range texts {
			out.held += int64(len(s))
		}
	}
	return out
}

func (c *compared) gather(from []uint32) extreme {
	return &compared{greatest: c.greatest, best: c.best.picked(from)}
}

func (s *checksums) Gather(from []uint32) Accumulator {
	return &checksums{of: s.of, t: s.t, sums: gathered(s.sums, from), has: gathered(s.has, from)}
}

func (d *distincts) Gather(from []uint32) Accumulator {
	out := &distincts{log: d.log, sketches: gathered(d.sketches, from)}
	for i, s := range out.sketches {
		out.sketches[i] = sketch{sparse: slices.Clone(s.sparse), registers: slices.Clone(s.registers)}
	}
	return out
}

func (p *percentiles[T]) Gather(from []uint32) Accumulator {
	out := &percentiles[T]{t: p.t, at: p.at, digests: gathered(p.digests, from), shares: p.shares}
	for i := range out.digests {
		out.digests[i].centroids = slices.Clone(out.digests[i].centroids)
	}
	return out
}

func (h *numericHistograms) Gather(from []uint32) Accumulator {
	out := &numericHistograms{t: h.t, most: h.most, buckets: gathered(h.buckets, from)}
	for i, b := range out.buckets {
		out.buckets[i] = slices.Clone(b)
	}
	return out
}

func (s *histograms) Gather(from []uint32) Accumulator {
	out := s.gather(from)
	return &out
}

func (s *histograms) gather(from []uint32) histograms {
	out := histograms{t: s.t, pairs: map[uint64][]uint32{}}
	to := newNumbers(from, s.group)
	var pairs []uint32
	for p, g := range s.group {
		if to[g] != none {
			pairs = append(pairs, uint32(p))
			out.group, out.counts = append(out.group, to[g]), append(out.counts, s.counts[p])
		}
	}
	out.values = s.values.picked(pairs)
	numbers := make(map[uint32]uint32, len(pairs))
	for i, p := range pairs {
		numbers[p] = uint32(i)
	}
	for h, same := range s.pairs {
		for _, p := range same {
			if i, ok := numbers[p]; ok {
				moved := h ^ groupHash(s.group[p]) ^ groupHash(out.group[i])
				out.pairs[moved] = append(out.pairs[moved], i)
			}
		}
	}
	return out
}

func (m *mostFrequent) Gather(from []uint32) Accumulator {
	return &mostFrequent{m.gather(from), m.buckets, m.capacity, gathered(m.floors, from)}
}

func (c *collected) Gather(from []uint32) Accumulator {
	out := c.gather(from)
	return &out
}

func (c *collected) gather(from []uint32) collected {
	out := collected{t: c.t, args: c.args, chunks: make([][]arrow.Array, len(c.chunks)), build: c.build}
	to := newNumbers(from, c.groups)
	start := 0
	for i := range c.chunks[0] {
		var rows []int32
		for row, g := range c.groups[start : start+c.chunks[0][i].Len()] {
			if to[g] != none {
				rows = append(rows, int32(row))
				out.groups = append(out.groups, to[g])
			}
		}
		start += c.chunks[0][i].Len()
		if len(rows) == 0 {
			continue
		}
		for a, chunks := range c.chunks {
			chunk := vec.Take(chunks[i], rows)
			out.size += vec.Size(chunk)
			out.chunks[a] = append(out.chunks[a], chunk)
		}
	}
	return out
}

func (u *united) Gather(from []uint32) Accumulator { return &united{u.gather(from)} }

func (u *unitedSets) Gather(from []uint32) Accumulator { return &unitedSets{u.gather(from)} }

func (j *joinedTexts) Gather(from []uint32) Accumulator {
	return &joinedTexts{collected: j.gather(from), separator: j.separator, truncate: j.truncate, filler: j.filler, count: j.count}
}
