package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/figure"
)

// byteSize is a flag value: 1GiB, 512MiB, 2000000.
type byteSize int64

var byteUnits = []struct {
	suffix string
	size   int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"B", 1}}

func (b *byteSize) Set(text string) error {
	number, unit := strings.TrimSpace(text), int64(1)
	for _, u := range byteUnits {
		if len(number) > len(u.suffix) && strings.EqualFold(number[len(number)-len(u.suffix):], u.suffix) {
			number, unit = strings.TrimSpace(number[:len(number)-len(u.suffix)]), u.size
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(n) || n <= 0 || n*float64(unit) > math.MaxInt64/2 {
		return fmt.Errorf("%q is no size; write it like 512MiB or 2GiB", text)
	}
	*b = byteSize(n * float64(unit))
	return nil
}

// String is empty for what was not given.
func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return figure.Bytes(int64(*b))
}

func (*byteSize) Type() string { return "size" }

// minMemory is the least that the fixed parts of the process need.
const minMemory = 64 << 20

// memoryFlag adds --memory, which bounds the process.
func memoryFlag(c *cobra.Command, size byteSize) *byteSize {
	c.Flags().Var(&size, "memory", "memory the process may use, at least 64MiB")
	return &size
}

// unseen is the least that is left for what the collector does not see: first of all the pages of the program itself.
const unseen = 24 << 20

// bound tells the collector of the limit, but for 10 % or unseen, whichever is more. Below it the collector may rest until
// the heap is five times what lives: batches come and go, and a quarter of a query's time would go into looking for them.
func (b *byteSize) bound() error {
	if *b < minMemory {
		return usage("--memory %s is too little; give at least 64MiB", b)
	}
	debug.SetMemoryLimit(int64(*b) - max(int64(*b)/10, unseen))
	debug.SetGCPercent(400)
	return nil
}

// queries is the share that the operators of queries may account, 60 %.
func (b *byteSize) queries() int64 { return int64(*b) / 10 * 6 }

// queryOptions are those of queries that no service runs: they may account memory bytes, and spill to the system's temporary folder.
func queryOptions(memory int64) engine.Options {
	return engine.Options{Memory: memory, Scratch: engine.NewScratch(os.TempDir())}
}
