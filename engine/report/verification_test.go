package report

import "testing"

func TestVerificationInWords(t *testing.T) {
	for want, v := range map[string]Verification{
		"No object was verified: neither hashes nor signatures are checked (trailql verify does).": {Rows: 10, Unverified: 3},
		"100 % of 1,234 rows come from verified objects.":                                          {Rows: 1234, VerifiedRows: 1234, Verified: 7},
		"99.99 % of 1,000,000 rows come from verified objects. 1 object unverified.":               {Rows: 1_000_000, VerifiedRows: 999_999, Verified: 9, Unverified: 1},
		"0.01 % of 1,000,000 rows come from verified objects. 9 objects unverified.":               {Rows: 1_000_000, VerifiedRows: 1, Verified: 1, Unverified: 9},
		"50 % of 10 rows come from verified objects. 1 object altered, 2 objects missing, 3 objects extra, named by no digest, 4 objects unverified, 1 digest invalid, 2 digests missing.": {
			Rows: 10, VerifiedRows: 5, Verified: 1, Altered: 1, Missing: 2, Extra: 3, Unverified: 4, DigestsInvalid: 1, DigestsMissing: 2},
		"1 digest invalid.": {DigestsInvalid: 1},
	} {
		if got := v.String(); got != want {
			t.Errorf("%+v\n got %s\nwant %s", v, got, want)
		}
	}
	if got := (Object{Path: "s3://a/b", Kind: "log", Verdict: "altered", Reason: "other bytes"}).String(); got != "log altered: s3://a/b (other bytes)" {
		t.Error(got)
	}
}
