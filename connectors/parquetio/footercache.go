package parquetio

import (
	"container/list"
	"sync"
)

// footerCache keeps parsed footers, the least recently used ones going first. Safe for concurrent use.
type footerCache struct {
	mu    sync.Mutex
	byKey map[footerKey]*list.Element
	order list.List // of *footerEntry, the newest first
	size  int64
}

// footerKey names a file by its place and size: files of a lake have names that are never used twice.
type footerKey struct {
	url  string
	size int64
}

type footerEntry struct {
	key    footerKey
	footer *footer
}

// keptFooters bounds the thrift bytes of the kept footers; parsed they take about twice as much.
const keptFooters = 64 << 20

// footers are those of the process.
var footers = footerCache{byKey: map[footerKey]*list.Element{}}

func (c *footerCache) get(key footerKey) *footer {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*footerEntry).footer
}

func (c *footerCache) put(key footerKey, f *footer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key] != nil {
		return
	}
	c.byKey[key] = c.order.PushFront(&footerEntry{key, f})
	c.size += f.size
	for c.size > keptFooters && c.order.Len() > 1 {
		last := c.order.Back()
		old := c.order.Remove(last).(*footerEntry)
		delete(c.byKey, old.key)
		c.size -= old.footer.size
	}
}
