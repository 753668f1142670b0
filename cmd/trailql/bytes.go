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

// program is what the pages of the program itself take of the process, about; the collector does not see them.
const program = 44 << 20

// heap is the share of the collector: all but 10 %, or the program's pages where these are more; of little memory at most a third is theirs.
func (b *byteSize) heap() int64 { return int64(*b) - max(int64(*b)/10, min(program, int64(*b)/3)) }

// bound tells the collector of its share. Below it the collector may rest until the heap is five times what lives: batches come and go, and a
// quarter of a query's time would go into looking for them.
func (b *byteSize) bound() error {
	if *b < minMemory {
		return usage("--memory %s is too little; give at least 64MiB", b)
	}
	debug.SetMemoryLimit(b.heap())
	debug.SetGCPercent(400)
	return nil
}

// queries is the share that the operators of queries may account: two thirds of the heap, 60 % of all where there is much.
func (b *byteSize) queries() int64 { return b.heap() / 3 * 2 }

// queryOptions are those of queries that no service runs: they may account memory bytes, and spill to the system's temporary folder.
func queryOptions(memory int64) engine.Options {
	return engine.Options{Memory: memory, Scratch: engine.NewScratch(os.TempDir())}
}
