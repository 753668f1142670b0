package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail"
)

// Verdicts of objects; an invalid one is a digest, an altered or extra one a log file.
const (
	Verified   = "verified"
	Unverified = "unverified"
	Missing    = "missing"
	Altered    = "altered"
	Extra      = "extra"
	Invalid    = "invalid"
)

// Finding is what verification found of one object, or a gap in a chain of digests.
type Finding struct {
	Kind     string // "digest", "log" or "gap"
	Verdict  string // "" of a gap
	Reason   string // "" where it is verified
	URL      string // where the object stands, or should
	Object   string // bucket/key, by the digest's words; "" where none names it
	Backfill bool
	From, To time.Time // of a gap: nothing was delivered between, as far as the digests say

	account, region string
	stamp           time.Time
	digest          string // URL of the digest that names the object, or follows it
}

// chain judges digests that follow each other, from the newest to the oldest.
type chain struct {
	*run
	region string
	link
	before link // of the digest judged last, for other copies of it
}

// link is what is known of the digest that follows the one at hand in time.
type link struct {
	next   *loaded // nil: none was judged yet
	nextOK bool    // it could be read and is not invalid: what it says of the one before it can be believed as far as it goes
	proven bool    // it is verified
}

// lost is a digest that the chain names and that is not there.
func (c *chain) lost() *Finding {
	d := c.next.digest
	url := c.expected(c.next.spot, d.Bucket, d.Object, d.PreviousBucket, d.PreviousObject)
	name := cloudtrail.ParseName(d.PreviousObject)
	return &Finding{Kind: "digest", Verdict: Missing, Reason: "not found", URL: url, Object: d.PreviousBucket + "/" + d.PreviousObject,
		Backfill: c.next.backfill, account: name.Account, region: name.Region, stamp: name.Stamp, digest: c.url(c.next.spot)}
}

// between is what a digest and the one that follows it have between them: a digest that is missing, or a gap; nil if nothing.
func (c *chain) between(l *loaded) *Finding {
	if c.next == nil || !c.nextOK || path.Base(c.next.name) == path.Base(l.name) {
		return nil
	}
	d := c.next.digest
	if d.PreviousObject == "" {
		return &Finding{Kind: "gap", From: l.stamp, To: time.UnixMicro(d.Start).UTC(), Backfill: l.backfill, account: d.Account, region: c.region,
			Reason: "the chain begins anew: no digest is linked to those before"}
	}
	if previous, _, ok := nameDigest(d.PreviousObject); ok && previous.stamp.After(l.stamp) {
		return c.lost()
	}
	return nil
}

// precedes reports whether a digest is the one that the one judged before names.
func (c *chain) precedes(l *loaded) bool {
	return c.next != nil && c.next.digest != nil && c.next.digest.PreviousObject != "" && path.Base(c.next.digest.PreviousObject) == path.Base(l.name)
}

// end returns the digest that is missing before the oldest.
func (c *chain) end(from time.Time) *Finding {
	if c.next == nil || !c.nextOK || c.next.digest.PreviousObject == "" {
		return nil
	}
	if previous, _, ok := nameDigest(c.next.digest.PreviousObject); ok && !previous.stamp.Before(from) {
		return c.lost()
	}
	return nil
}

// judge gives a digest its verdict.
func (c *chain) judge(ctx context.Context, l *loaded) (*Finding, error) {
	f := &Finding{Kind: "digest", URL: c.url(l.spot), Backfill: l.backfill, stamp: l.stamp}
	_, of, _ := nameDigest(l.name)
	f.account, f.region = of.account, of.region
	if d := l.digest; d != nil {
		f.Object = d.Bucket + "/" + d.Object
	}
	if c.next != nil && path.Base(c.next.name) == path.Base(l.name) { // another copy
		last := c.link
		c.link = c.before
		defer func() {
			if f.Verdict != Verified {
				c.link = last
			}
		}()
	}
	if c.precedes(l) {
		f.digest = c.url(c.next.spot)
	}
	if err := c.verdict(ctx, l, f); err != nil {
		return nil, err
	}
	c.before = c.link
	// A digest that the chain goes past says nothing of what was before it.
	if c.next == nil || !c.nextOK || c.precedes(l) || c.next.digest.PreviousObject == "" || !c.passes(l) {
		c.link = link{l, l.digest != nil && f.Verdict != Invalid, f.Verdict == Verified}
	}
	return f, nil
}

// passes reports whether the digest before the one judged last is older than this one.
func (c *chain) passes(l *loaded) bool {
	previous, _, ok := nameDigest(c.next.digest.PreviousObject)
	return ok && previous.stamp.Before(l.stamp)
}

func (c *chain) verdict(ctx context.Context, l *loaded, f *Finding) error {
	say := func(verdict, format string, args ...any) error {
		f.Verdict, f.Reason = verdict, fmt.Sprintf(format, args...)
		return nil
	}
	d := l.digest
	switch {
	case l.err != nil:
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return say(Unverified, "cannot be read: %v", l.err)
	case l.fault != nil:
		return say(Invalid, "invalid format: %v", l.fault)
	case !c.original(l.spot, d.Bucket, d.Object):
		return say(Invalid, "has been moved from its original location")
	}
	linked := c.precedes(l)
	signature, kept := l.metadata["signature"]
	if algorithm, ok := l.metadata["signature-algorithm"]; kept && !ok || ok && algorithm != cloudtrail.SignatureAlgorithm {
		kept = false
	}
	at := time.UnixMicro(d.End)
	if l.backfill && l.metadata != nil {
		generated, err := time.Parse(time.RFC3339, l.metadata["backfill-generation-timestamp"])
		if err != nil {
			return say(Invalid, "invalid format: a backfill digest without the time of its generation")
		}
		at = generated
	}
	switch {
	case kept:
	case l.metadata != nil:
		return say(Invalid, "signature verification failed: the object's metadata has no signature")
	case linked && c.nextOK && c.next.digest.PreviousSignature != "":
		signature = c.next.digest.PreviousSignature
	default:
		return say(Unverified, "its signature cannot be had: the copy has no metadata, and no digest that follows it is there")
	}
	key, err := c.keys.find(ctx, c.region, d.Fingerprint, at)
	switch {
	case errors.Is(err, errNoKeys):
		return say(Unverified, "no public key of region %s is known", c.region)
	case errors.Is(err, errNoKey):
		return say(Invalid, "public key not found in region %s for fingerprint %s", c.region, d.Fingerprint)
	case err != nil:
		return err
	}
	if err := d.Verify(key, signature); err != nil {
		return say(Invalid, "signature verification failed")
	}
	// What follows links to one file with one content. Where that one is not proven, its word does not count against this one.
	if linked && c.proven && !strings.EqualFold(c.next.digest.PreviousHash, fmt.Sprintf("%x", d.SHA256)) {
		return say(Invalid, "it is not the file that the digest after it is linked to: the hash differs")
	}
	f.Verdict = Verified
	return nil
}
