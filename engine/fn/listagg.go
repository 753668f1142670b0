package fn

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// maxJoined is how many bytes the result of listagg may have, as in Trino.
const maxJoined = 1 << 20

// joinedTexts is listagg. What follows the texts among the arguments is constant: the separator, and for ON OVERFLOW TRUNCATE the filler
// and whether to count.
type joinedTexts struct {
	collected // of the texts
	separator string
	truncate  bool
	filler    string
	count     bool
}

func newJoinedTexts(args []sqltype.Type, t sqltype.Type) Accumulator {
	return &joinedTexts{collected: collected{t: t, args: args[:1], chunks: make([][]arrow.Array, 1)}, truncate: len(args) == 4}
}

func (j *joinedTexts) Update(args []vec.Datum, groups []uint32, count int) error {
	if len(groups) == 0 {
		return nil
	}
	if len(args) > 1 {
		j.separator = strings.Clone(columnOf[string](args[1]).at(0))
	}
	if j.truncate {
		j.filler, j.count = strings.Clone(columnOf[string](args[2]).at(0)), columnOf[bool](args[3]).at(0)
	}
	return j.collected.Update(args[:1], groups, count)
}

func (j *joinedTexts) Merge(other Accumulator, remap []uint32, count int) error {
	o := other.(*joinedTexts)
	if len(o.groups) > 0 {
		j.separator, j.filler, j.count = o.separator, o.filler, o.count
	}
	return j.collected.Merge(&o.collected, remap, count)
}

func (j *joinedTexts) Result(count int) (arrow.Array, error) {
	if len(j.groups) == 0 {
		return vec.Nulls(j.t, count), nil
	}
	all, err := vec.Concat(j.chunks[0])
	if err != nil {
		return nil, err
	}
	texts := columnOf[string](vec.Datum{Arr: all})
	rows, offsets := byGroup(j.groups, count)
	w, nulls := newTextWriter(count), make([]bool, count)
	for g := range count {
		var parts []string
		for _, row := range rows[offsets[g]:offsets[g+1]] {
			if all.IsValid(int(row)) {
				parts = append(parts, texts.at(int(row)))
			}
		}
		nulls[g] = len(parts) == 0
		if w.data, err = j.join(w.data, parts); err != nil {
			return nil, err
		}
		if !w.end() {
			break
		}
	}
	return w.array(j.t, nulls)
}

// join appends the parts. Too many of them are cut off so that the filler, and the number of parts of which nothing is shown, still fit.
func (j *joinedTexts) join(dst []byte, parts []string) ([]byte, error) {
	start := len(dst)
	var begins []int // of the parts in the result
	for i, part := range parts {
		if i > 0 {
			dst = append(dst, j.separator...)
		}
		begins = append(begins, len(dst)-start)
		if dst = append(dst, part...); len(dst)-start > maxJoined {
			break
		}
	}
	if len(dst)-start <= maxJoined {
		return dst, nil
	}
	if !j.truncate {
		return nil, sqlerr.New(sqlerr.Resource, 0, "the text joined by listagg has more than %d bytes", maxJoined).
			WithHint("cut it: listagg(x, ',' ON OVERFLOW TRUNCATE WITH COUNT)")
	}
	tail := j.filler
	for digits := 1; ; digits++ {
		most := maxJoined - len(j.filler)
		if j.count {
			most -= len("()") + digits
		}
		for most = max(most, 0); most > 0 && !utf8.RuneStart(dst[start+most]); {
			most--
		}
		shown := len(begins)
		for shown > 0 && begins[shown-1] >= most {
			shown--
		}
		number := strconv.Itoa(len(parts) - shown)
		if j.count && len(number) > digits {
			continue
		}
		if j.count {
			tail += "(" + number + ")"
		}
		return append(dst[:start+most], tail...), nil
	}
}
