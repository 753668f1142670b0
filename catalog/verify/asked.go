package verify

import (
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
)

// asked is what the conjuncts of a scan of trail_coverage leave of it.
type asked struct {
	conjuncts []expr.Expr
	names     []string // of the columns that these use, by ordinal
	accounts  []string // the only ones; nil: all
	from, to  time.Time
}

// The hours there may be: CloudTrail began in 2013.
var (
	firstHour = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	lastHour  = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func narrowed(req source.Request) asked {
	a := asked{}
	for _, p := range req.Paths {
		a.names = append(a.names, hourColumns[p.Column].Name)
	}
	for _, c := range req.Conjuncts {
		if expr.Volatile(c) {
			continue
		}
		a.conjuncts = append(a.conjuncts, c)
		if accounts := a.needles(c); accounts != nil && (a.accounts == nil || len(accounts) < len(a.accounts)) {
			a.accounts = accounts
		}
	}
	if from, ok := a.first(firstHour, lastHour, false); ok {
		last, _ := a.first(firstHour, lastHour, true)
		a.from, a.to = from, last.Add(time.Hour)
	}
	return a
}

// needles are the accounts of which a conjunct demands one, sorted; nil if it does not.
func (a *asked) needles(c expr.Expr) []string {
	var out []string
	for _, n := range prune.Needles(c) {
		if a.names[n.Column] != "account" || len(n.Fields) > 0 {
			return nil
		}
		for _, v := range n.Values {
			text, ok := v.(string)
			if !ok {
				return nil
			}
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// narrow is the condition on rows of the ledger and of digests that they are of the accounts asked for, " AND …".
func (a *asked) narrow() string {
	if a.accounts == nil {
		return ""
	}
	var list []string
	for _, account := range a.accounts {
		list = append(list, quote(account))
	}
	return " AND account IN (" + strings.Join(list, ", ") + ")"
}

// first is the first hour from lo to hi that the conjuncts leave, or the last one.
func (a *asked) first(lo, hi time.Time, last bool) (time.Time, bool) {
	if !a.may(nil, lo, hi) {
		return time.Time{}, false
	}
	if lo.Equal(hi) {
		return lo, true
	}
	mid := lo.Add(hi.Sub(lo) / 2).Truncate(time.Hour)
	halves := [2][2]time.Time{{lo, mid}, {mid.Add(time.Hour), hi}}
	if last {
		halves[0], halves[1] = halves[1], halves[0]
	}
	if at, ok := a.first(halves[0][0], halves[0][1], last); ok {
		return at, true
	}
	return a.first(halves[1][0], halves[1][1], last)
}

// unit reports whether the conjuncts leave hours of a unit from the first to the last.
func (a *asked) unit(u unit, first, last time.Time) bool { return a.may(&u, first, last) }

func (a *asked) may(u *unit, first, last time.Time) bool {
	s := &hourBounds{a.names, u, first, last}
	return !slices.ContainsFunc(a.conjuncts, func(c expr.Expr) bool { return prune.Check(c, s) == prune.Never })
}

// hourBounds are the statistics of hours of a unit, or of all units.
type hourBounds struct {
	names       []string
	unit        *unit
	first, last time.Time
}

func (b *hourBounds) Bounds(column int) (lo, hi any) {
	switch name := b.names[column]; {
	case name == "hour":
		return b.first.UnixMicro(), b.last.UnixMicro()
	case name == "account" && b.unit != nil:
		return b.unit.account, b.unit.account
	case name == "region" && b.unit != nil:
		return b.unit.region, b.unit.region
	}
	return nil, nil
}

func (b *hourBounds) Nulls(column int) (nulls, rows int64) {
	switch b.names[column] {
	case "account", "region", "hour":
		return 0, 1
	}
	return -1, 1
}

func (b *hourBounds) Canonical(int) bool { return false }
