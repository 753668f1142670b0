package catalog

import (
	"sync"

	"github.com/trailql/trailql/engine/source"
)

// views are the relations that the catalog defines by SQL, by name.
var views = sync.OnceValue(func() map[string]*source.View {
	return map[string]*source.View{}
})
