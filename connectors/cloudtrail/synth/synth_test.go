package synth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

var small = Options{Seed: 7, Events: 4000, Days: 3, Incident: true, Faults: true}

func collect(t *testing.T, opt Options) ([]Object, *Truth) {
	t.Helper()
	var objects []Object
	truth, err := Generate(context.Background(), opt, func(o Object) error {
		objects = append(objects, o)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects, truth
}

// TestTruthCountsWhatIsThere reads the trail with encoding/json and counts what the truth file claims.
func TestTruthCountsWhatIsThere(t *testing.T) {
	objects, truth := collect(t, small)
	records, damaged, digests := 0, 0, 0
	distinct := map[string]bool{}
	ids := map[string]bool{}
	kinds := map[string]bool{}
	for _, o := range objects {
		kinds[strings.Split(o.Name, "/")[3]] = true
		z, err := gzip.NewReader(bytes.NewReader(o.Data))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			damaged++
			continue
		}
		if strings.Contains(o.Name, "CloudTrail-Digest") {
			digests++
			continue
		}
		var file struct{ Records []json.RawMessage }
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		for _, raw := range file.Records {
			records++
			distinct[string(raw)] = true
			var e struct{ EventID string }
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			ids[e.EventID] = true
		}
	}
	rows := 0
	for _, n := range truth.Rows {
		rows += n
	}
	if len(objects) != truth.Objects || records != truth.Records || digests != truth.Digests || damaged != len(truth.Damaged) ||
		len(distinct) != rows || records != rows+truth.Duplicates {
		t.Errorf("trail: %d objects, %d digests, %d damaged, %d records, %d distinct; truth: %d, %d, %d, %d, %d + %d duplicates",
			len(objects), digests, damaged, records, len(distinct), truth.Objects, truth.Digests, len(truth.Damaged), truth.Records, rows, truth.Duplicates)
	}
	if damaged != 1 || truth.Duplicates == 0 {
		t.Errorf("%d damaged objects, %d duplicates: the faults are not planted", damaged, truth.Duplicates)
	}
	for _, kind := range []string{"CloudTrail", "CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated", "CloudTrail-Digest"} {
		if !kinds[kind] {
			t.Errorf("no object of kind %s", kind)
		}
	}
	for what, list := range truth.Events {
		for _, id := range list {
			if !ids[id] {
				t.Errorf("%s names event %s, which is not in the trail", what, id)
			}
		}
	}
	for _, what := range []string{"unauthorized", "console_login_no_mfa", "root_use", "iam_policy_change", "trail_change", "console_login_failed",
		"kms_key_disabled", "s3_policy_change", "config_change", "security_group_change", "network_acl_change", "gateway_change", "route_change",
		"vpc_change", "organizations_change", "security_group_rules_modified", "incident", "role_chain"} {
		if len(truth.Events[what]) == 0 {
			t.Errorf("the incident shows nothing under %s", what)
		}
	}
}

func TestEqualOptionsGiveEqualBytes(t *testing.T) {
	hash := func(opt Options) string {
		objects, _ := collect(t, opt)
		h := sha256.New()
		for _, o := range objects {
			h.Write([]byte(o.Name))
			h.Write(o.Data)
		}
		return string(h.Sum(nil))
	}
	other := small
	other.Seed++
	if once := hash(small); once != hash(small) || once == hash(other) {
		t.Error("a trail must depend on its seed and on nothing else")
	}
}

func TestWithoutIncident(t *testing.T) {
	opt := small
	opt.Incident = false
	_, truth := collect(t, opt)
	if truth.Incident != nil || len(truth.Events["incident"]) > 0 || len(truth.Events["trail_change"]) > 0 || len(truth.Events["root_use"]) > 0 {
		t.Errorf("an ordinary week has no %v", truth.Events["incident"])
	}
	// Each chore is dealt once, however many days there are: all 16 names of the control on IAM policies, and 4 of other services.
	if n := len(truth.Events["iam_policy_change"]); n < 20 {
		t.Errorf("%d changes of IAM policies in an ordinary week, want 20 or more", n)
	}
}

func TestGenerateStops(t *testing.T) {
	full := errors.New("disk full")
	if _, err := Generate(context.Background(), small, func(Object) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want the error of emit", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Generate(ctx, small, func(Object) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
