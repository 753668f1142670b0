// Package report answers packs of named queries over one snapshot and gives verdicts with their evidence: the query text, the snapshot,
// the coverage of the period, hashes of the results. It runs them by hand and on a schedule.
package report

import (
	"context"
	"time"

	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/source"
)

// Period is a half-open span of time, UTC.
type Period struct {
	From time.Time `json:"from"` // included
	To   time.Time `json:"to"`   // not included
}

// Coverage says whether the archive holds all of a period.
type Coverage struct {
	Complete bool      `json:"complete"`
	Basis    string    `json:"basis"`   // how it was judged, in a sentence
	Objects  int64     `json:"objects"` // trail objects delivered in the period
	Records  int64     `json:"records"` // in them
	Gaps     []Gap     `json:"gaps"`    // why it is not complete; at most 1,000, the longest first
	MoreGaps int64     `json:"more_gaps,omitempty"`
	Accounts []Account `json:"accounts"`

	Verification Verification `json:"verification"` // of the objects
}

// Verification says what verifying the objects delivered in a period found: their hashes against digests, and these against their signatures.
type Verification struct {
	Rows            int64     `json:"rows"`                   // that came of the objects
	VerifiedRows    int64     `json:"verified_rows"`          // of those that are verified
	Verified        int64     `json:"verified"`               // objects
	Unverified      int64     `json:"unverified"`             // objects of which nothing is known
	Missing         int64     `json:"missing"`                // named by a digest, and not in the archive
	Altered         int64     `json:"altered"`                // not what their digest says
	Extra           int64     `json:"extra"`                  // named by no digest though digests cover their time
	Digests         int64     `json:"digests"`                // that cover some of the period
	DigestsVerified int64     `json:"digests_verified"`       // whose signature and place in the chain are right
	DigestsInvalid  int64     `json:"digests_invalid"`        // whose signature or hash is wrong
	DigestsMissing  int64     `json:"digests_missing"`        // that others follow, and that are not in the archive
	Checked         time.Time `json:"checked,omitzero"`       // the newest verdict on a log file
	Objects         []Object  `json:"objects"`                // missing, altered, extra, invalid; at most 1,000, by account, region and time
	MoreObjects     int64     `json:"more_objects,omitempty"` // that are not listed
}

// Object is one that verification has something to say of.
type Object struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"`    // "log", "digest"
	Verdict string `json:"verdict"` // "missing", "altered", "extra", "invalid"
	Reason  string `json:"reason,omitempty"`
}

// Account tells what one account and region delivered in the period.
type Account struct {
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Basis   string    `json:"basis"` // "digests", "deliveries"
	Objects int64     `json:"objects"`
	Records int64     `json:"records"`
	First   time.Time `json:"first"` // delivery
	Last    time.Time `json:"last"`
	Gaps    int64     `json:"gaps"`
}

// Gap is a stretch of the period of which something is, or may be, missing.
type Gap struct {
	Account string    `json:"account,omitempty"` // "": all
	Region  string    `json:"region,omitempty"`  // "": all
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Reason  string    `json:"reason"` // a sentence
}

// Covered judges the coverage of a period in a snapshot.
type Covered func(ctx context.Context, snap source.Snapshot, p Period) (Coverage, error)

// Verdict on a control.
type Verdict string

const (
	NoneFound   Verdict = "none found"   // no event of the period matches, and the archive holds all of the period
	Findings    Verdict = "findings"     // events match; true whether or not the archive is complete
	NotProvable Verdict = "not provable" // nothing matches but something is missing or not what CloudTrail wrote, or the control is about state that no event shows
)

// Runner runs packs.
type Runner struct {
	Service *service.Service
	Covered Covered
	Lake    string           // URL, for the evidence
	Version string           // of trailql, for the evidence
	Now     func() time.Time // nil: the clock

	// Answered, if any, is told of each control as its query ends, one at a time; done counts them.
	Answered func(c Control, done int)
}

// Pack is a list of controls, read from a YAML file beside the SQL files it names.
type Pack struct {
	ID       string
	Title    string
	About    string
	Controls []Control

	file string // name of its YAML file
	text string // what stands in it
}

// Control is one question of a pack.
type Control struct {
	ID     string
	Title  string
	About  string // what a finding means and what to look at
	State  bool   // about state that no event shows: never proven, whatever its events say
	SQL    string // as in the file; :from and :to stand for the period as timestamps
	Source string // name of the file
}

// Report is the answered pack.
type Report struct {
	Pack     *Pack
	Period   Period
	Lake     string
	Snapshot int64
	Version  string
	Began    time.Time
	Ended    time.Time
	Coverage Coverage
	Verdict  Verdict // of the whole: findings, not provable or none found; see Run
	Reason   string  // of the verdict, in sentences
	Answers  []Answer

	service *service.Service
}

// Answer to a control.
type Answer struct {
	Control  Control
	Verdict  Verdict
	Reason   string // a sentence
	SQL      string // as it was run, :from and :to replaced: it can be asked again as it stands
	Findings int64  // rows
	SHA256   string // of the rows as JSON lines, hex
	Err      error
	Query    string // id in the service
}
