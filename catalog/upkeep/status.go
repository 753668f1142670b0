package upkeep

import (
	"context"
	"slices"

	"github.com/trailql/trailql/catalog"
)

// smallFile is what a scan hardly gains from opening: many such files in a partition are a sign that merges are turned off.
const smallFile = 1 << 20

// Status is a page about a lake.
type Status struct {
	Lake string `json:"lake"`
	catalog.State
	Tables      []TableStatus `json:"tables"`
	Accounts    []string      `json:"accounts"`
	From        string        `json:"from,omitempty"` // days of the oldest and the newest event
	To          string        `json:"to,omitempty"`
	Quarantined int64         `json:"quarantined"` // rows of trail_quarantine
	Holds       []Hold        `json:"holds"`
}

// TableStatus is about one table.
type TableStatus struct {
	Name       string `json:"name"`
	Rows       int64  `json:"rows"`
	Files      int64  `json:"files"`
	Bytes      int64  `json:"bytes"`
	Partitions int64  `json:"partitions"`
	SmallFiles int64  `json:"small_files"` // under 1 MiB
}

// StatusOf tells what the log knows; no data file is opened.
func StatusOf(ctx context.Context, lake *catalog.Lake) (*Status, error) {
	snap, err := lake.Newest(ctx)
	if err != nil {
		return nil, err
	}
	s := &Status{Lake: lake.Store().URL(), Accounts: []string{}}
	if s.State, err = lake.State(ctx); err != nil {
		return nil, err
	}
	for _, name := range tables() {
		t := TableStatus{Name: name}
		files, err := snap.AllFiles(ctx, name)
		if err != nil {
			return nil, err
		}
		var last catalog.Partition
		for i, f := range files {
			t.Files++
			t.Rows += f.Rows
			t.Bytes += f.Size
			if f.Size < smallFile {
				t.SmallFiles++
			}
			if i == 0 || f.Partition != last {
				t.Partitions++
			}
			last = f.Partition
			if !slices.Contains(recordTables, name) {
				continue
			}
			if f.Partition.Account != "" {
				if at, found := slices.BinarySearch(s.Accounts, f.Partition.Account); !found {
					s.Accounts = slices.Insert(s.Accounts, at, f.Partition.Account)
				}
			}
			if d := f.Partition.Date; d != "" {
				if s.From == "" || d < s.From {
					s.From = d
				}
				s.To = max(s.To, d)
			}
		}
		if name == catalog.Quarantine {
			s.Quarantined = t.Rows
		}
		s.Tables = append(s.Tables, t)
	}
	s.Holds, err = Holds(ctx, lake.Store())
	return s, err
}
