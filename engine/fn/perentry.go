package fn

import (
	"math"
	"runtime"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/vec"
)

// PerEntry keeps what expressions gave for the entries of dictionaries. The batches of a row group share a dictionary, and what is computed from
// an entry alone need not be computed for each batch again. One serves all workers of a query; nil keeps nothing.
//
// A dictionary of more entries than a batch has rows is evaluated as a whole once its batches have had as many rows: that costs at most twice
// what the better of both ways would have (the rule of who rents or buys skis; Karlin et al., "Competitive snoopy caching", 1988).
type PerEntry struct {
	lock sync.Mutex
	kept []valuesOf // a ring: the oldest is replaced
	next int
}

type valuesOf struct {
	by         any // the expression
	dictionary arrow.ArrayData
	rows       int         // of batches that were evaluated row by row
	values     arrow.Array // by entry; nil: not yet
}

// mostKept bounds the values of a dictionary that are kept, in bytes.
const mostKept = 4 << 20

// NewPerEntry returns one that keeps a few dictionaries for each worker, as row groups pass by.
func NewPerEntry() *PerEntry { return &PerEntry{kept: make([]valuesOf, 4*runtime.GOMAXPROCS(0))} }

// Get returns what an expression gave for the entries of a dictionary, or nil.
func (p *PerEntry) Get(by any, dictionary arrow.ArrayData) arrow.Array {
	if p == nil {
		return nil
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if k := p.find(by, dictionary); k != nil {
		return k.values
	}
	return nil
}

// Due counts the rows of a batch, and reports whether all entries are to be evaluated for it.
func (p *PerEntry) Due(by any, dictionary arrow.ArrayData, rows int) bool {
	if p == nil {
		return false
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	k := p.of(by, dictionary)
	k.rows += rows
	return k.rows >= dictionary.Len()
}

// Keep keeps what an expression gave for the entries of a dictionary. What is too large is not kept, nor nil, which stands for an error; then
// the entries are not due again.
func (p *PerEntry) Keep(by any, dictionary arrow.ArrayData, values arrow.Array) {
	if p == nil {
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	k := p.of(by, dictionary)
	if values == nil || vec.Size(values) > mostKept {
		k.rows = math.MinInt
		return
	}
	k.values = values
}

func (p *PerEntry) find(by any, dictionary arrow.ArrayData) *valuesOf {
	for i := range p.kept {
		if k := &p.kept[i]; k.dictionary == dictionary && k.by == by {
			return k
		}
	}
	return nil
}

// of finds or begins what is known of an expression and a dictionary.
func (p *PerEntry) of(by any, dictionary arrow.ArrayData) *valuesOf {
	k := p.find(by, dictionary)
	if k == nil {
		k = &p.kept[p.next]
		*k = valuesOf{by: by, dictionary: dictionary}
		p.next = (p.next + 1) % len(p.kept)
	}
	return k
}
