package report

import (
	"fmt"
	"strings"
)

// String tells in sentences what share of the rows comes from verified objects, and what is wrong with the others.
func (v Verification) String() string {
	bad := v.Missing + v.Altered + v.Extra + v.DigestsInvalid + v.DigestsMissing
	var says []string
	switch {
	case v.Verified == 0 && bad == 0:
		return "No object was verified: neither hashes nor signatures are checked (trailql verify does)."
	case v.Rows > 0:
		says = append(says, fmt.Sprintf("%s of %s come from verified objects.", share(v.VerifiedRows, v.Rows), counted(v.Rows, "row")))
	}
	var parts []string
	add := func(n int64, noun, what string) {
		if n > 0 {
			parts = append(parts, counted(n, noun)+" "+what)
		}
	}
	add(v.Altered, "object", "altered")
	add(v.Missing, "object", "missing")
	add(v.Extra, "object", "extra, named by no digest")
	add(v.Unverified, "object", "unverified")
	add(v.DigestsInvalid, "digest", "invalid")
	add(v.DigestsMissing, "digest", "missing")
	if len(parts) > 0 {
		says = append(says, strings.Join(parts, ", ")+".")
	}
	return strings.Join(says, " ")
}

// share is a part of a whole in per cent. It says 100 % of all, 0 % of none, and neither of what is only near.
func share(part, whole int64) string {
	switch {
	case part == whole:
		return "100 %"
	case part == 0:
		return "0 %"
	}
	percent := min(max(100*float64(part)/float64(whole), 0.01), 99.99)
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", percent), "0"), ".") + " %"
}

// String is the object in a sentence.
func (o Object) String() string {
	if o.Reason == "" {
		return fmt.Sprintf("%s %s: %s", o.Kind, o.Verdict, o.Path)
	}
	return fmt.Sprintf("%s %s: %s (%s)", o.Kind, o.Verdict, o.Path, o.Reason)
}
