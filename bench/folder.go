package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

// mark says, in a file beside it, what a thing in the folder was made of, and what is told of it.
type mark struct {
	Of   string
	What json.RawMessage
}

// have gives the path of a thing in the folder, made by make unless it stands there from before, made of the same. What is told of it
// is into, which make fills.
func (b *bench) have(name, of string, into any, make func(path string) error) (path string, err error) {
	path = filepath.Join(b.dir, name)
	var m mark
	if text, err := os.ReadFile(path + ".json"); err == nil && json.Unmarshal(text, &m) == nil && m.Of == of {
		return path, json.Unmarshal(m.What, into)
	}
	note("making %s", path)
	if err := errors.Join(remove(path+".json"), os.RemoveAll(path), make(path)); err != nil {
		return "", err
	}
	return path, b.stands(name, of, into)
}

// stands marks a thing as made.
func (b *bench) stands(name, of string, what any) (err error) {
	m := mark{Of: of}
	if m.What, err = json.Marshal(what); err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, name+".json"), text, 0o666)
}

// remove removes a file that may be there.
func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// told has a step tell what it found.
func told(ctx context.Context, into any, step string, args ...string) error {
	out, _, err := run(ctx, self(step, args...))
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}

// generated is a trail in the folder.
type generated struct {
	synth.Truth
	Bytes int64
}

func of(opt synth.Options) string { return fmt.Sprintf("%+v", opt) }

func (b *bench) options() synth.Options {
	return synth.Options{Seed: b.seed, Events: b.events, Days: b.days, Incident: true, Faults: true}
}

// denseOptions are those of a trail with few partitions: one account, one region, five days.
func (b *bench) denseOptions() synth.Options {
	return synth.Options{Seed: b.seed, Events: b.events, Accounts: 1, Regions: 1, Days: 5, Incident: true, Faults: true}
}

// denseMemory is what the compactor may take for it: more at a time gives larger files.
const denseMemory = "4GiB"

// yearOptions are those of 40 partitions a day, 60 events to each.
func (b *bench) yearOptions() synth.Options {
	return synth.Options{Seed: b.seed, Events: b.yearDays * 40 * 60, Accounts: 5, Regions: 8, Days: b.yearDays, Incident: true, Even: true, Interval: 24 * time.Hour}
}

func (b *bench) trail(ctx context.Context, name string, opt synth.Options) (path string, g generated, err error) {
	path, err = b.have(name, of(opt), &g, func(path string) error {
		text, err := json.Marshal(opt)
		if err != nil {
			return err
		}
		if err := told(ctx, &g.Truth, stepTrail, path, string(text)); err != nil {
			return err
		}
		g.Bytes, err = folderSize(path)
		return err
	})
	return path, g, err
}

// lake gives the lake that trailql compact, with flags, makes of a trail, and what it was made of. A trail that no other part reads is removed.
func (b *bench) lake(ctx context.Context, name string, opt synth.Options, keep bool, flags ...string) (path string, g generated, err error) {
	path, err = b.have(name, of(opt), &g, func(path string) error {
		var trail string
		if trail, g, err = b.trail(ctx, name+"-trail", opt); err != nil {
			return err
		}
		if _, _, err := run(ctx, append([]string{b.trailql, "compact", trail, "--lake", path}, flags...), 3); err != nil {
			return err
		}
		if keep {
			return nil
		}
		return errors.Join(remove(trail+".json"), os.RemoveAll(trail))
	})
	return path, g, err
}

// mainLake is the lake of most parts.
func (b *bench) mainLake(ctx context.Context) (string, generated, error) {
	return b.lake(ctx, "main", b.options(), true)
}

// ordered are the Parquet files that DuckDB makes of the same trail.
func (b *bench) ordered(ctx context.Context) (path string, m made, err error) {
	opt := b.options()
	path, err = b.have("ordered", of(opt), &m, func(path string) error {
		trail, _, err := b.trail(ctx, "main-trail", opt)
		if err != nil {
			return err
		}
		return told(ctx, &m, stepCompact, trail, path, "ordered", b.dayByDay())
	})
	return path, m, err
}

// database is a database file of DuckDB with the rows of the main lake.
func (b *bench) database(ctx context.Context, lake string) (path string, m made, err error) {
	path, err = b.have("main.duckdb", of(b.options()), &m, func(path string) error {
		return errors.Join(remove(path+".wal"), told(ctx, &m, stepDatabase, lake, path))
	})
	return path, m, err
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }
