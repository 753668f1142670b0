// Package synth makes seeded, realistic trails: several accounts, regions and
// days of people, programs and services, all kinds of records and objects, an
// incident to find, and a truth that says which event ids are what. The demo, the
// tests and the benchmarks read its trails; equal options give equal bytes.
package synth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Options of a trail; zero fields take the defaults of the demo.
type Options struct {
	Seed     uint64
	Accounts int       // 3
	Regions  int       // 3, at most 8
	Days     int       // 5
	Events   int       // about so many records in all, 100,000
	Start    time.Time // first day, 2026-03-02
	Incident bool      // plant the incident
	Faults   bool      // plant a truncated object and redelivered ones

	Sign     bool          // sign the digests with a key of the seed (PublicKeys), and link them from day to day; signatures are Object.Metadata
	Plant    int           // with Sign: so many faults in the archive, of all PlantKinds, at most one a day and account (Truth.Planted)
	Even     bool          // accounts and regions take equal shares; else the first takes most of it
	Interval time.Duration // that one object covers, 5 minutes. A trail with more than an hour to an object has no digests
}

func (o Options) withDefaults() Options {
	o.Accounts = cmp.Or(o.Accounts, 3)
	o.Regions = min(cmp.Or(o.Regions, 3), len(regionNames))
	o.Days = cmp.Or(o.Days, 5)
	o.Events = cmp.Or(o.Events, 100_000)
	o.Interval = cmp.Or(o.Interval, 5*time.Minute)
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	}
	o.Start = o.Start.UTC().Truncate(24 * time.Hour)
	return o
}

// Truth says what a trail holds. Records = Rows of all tables + Duplicates + Quarantined.
type Truth struct {
	Seed       uint64              `json:"seed"`
	From       string              `json:"from"`              // first day
	To         string              `json:"to"`                // the day after the last one
	Objects    int                 `json:"objects"`           // digests and the damaged one included
	Digests    int                 `json:"digests"`           // among the objects
	Records    int                 `json:"records"`           // in objects that can be read
	Rows       map[string]int      `json:"rows"`              // distinct records by table
	Duplicates int                 `json:"duplicates"`        // records delivered again, word for word
	Damaged    []string            `json:"damaged"`           // names of objects that cannot be read
	Events     map[string][]string `json:"events"`            // event ids by what they are: of a CIS control, "incident", "role_chain"
	Incident   *Incident           `json:"incident"`          // nil: none planted
	Planted    []Planted           `json:"planted,omitempty"` // faults; all else tells of the trail as it was delivered
}

// Incident is the story to find.
type Incident struct {
	AccessKey string   `json:"access_key"` // the leaked key it begins with
	IP        string   `json:"ip"`         // where the intruder comes from
	Account   string   `json:"account"`    // whose key it was
	Target    string   `json:"target"`     // the account reached by assuming a role
	Keys      []string `json:"keys"`       // temporary keys of the role chain, in order
	Bucket    string   `json:"bucket"`     // emptied
	Date      string   `json:"date"`       // UTC day
}

// Object is one trail object.
type Object struct {
	Name string // AWSLogs/…
	Data []byte // as stored

	Metadata map[string]string // of a signed digest, as it is kept in S3: signature, signature-algorithm
}

// Generate makes the trail and hands each object to emit, in a fixed order, from one goroutine.
func Generate(ctx context.Context, opt Options, emit func(Object) error) (*Truth, error) {
	opt = opt.withDefaults()
	w := newWorld(opt)
	truth := &Truth{Seed: opt.Seed, From: opt.Start.Format(time.DateOnly), To: opt.Start.AddDate(0, 0, opt.Days).Format(time.DateOnly), Rows: map[string]int{}, Events: map[string][]string{}}
	plan := newIncident(w, opt)
	if plan != nil {
		truth.Incident = &plan.story
	}

	plant := newPlanter(opt)
	var sign *signer
	if opt.Sign {
		var err error
		if sign, err = newSigner(opt); err != nil {
			return nil, err
		}
	}

	type part struct {
		objects []Object
		day     *day
		err     error
	}
	// An account-day is made whole by one goroutine from its own random source; a window of them is in flight, so that
	// memory is bounded and the order of emission fixed.
	parts := make([]chan part, opt.Days*opt.Accounts)
	for i := range parts {
		parts[i] = make(chan part, 1)
	}
	slots := make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for i := range parts {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			go func() {
				d := newDay(w, opt, i/opt.Accounts, i%opt.Accounts, plan)
				objects, err := d.deliver()
				d.records = nil
				parts[i] <- part{objects, d, err}
			}()
		}
	}()
	for i := range parts {
		var p part
		select {
		case p = <-parts[i]:
			<-slots
		case <-ctx.Done():
			return nil, fmt.Errorf("making the trail: %w", ctx.Err())
		}
		if p.err != nil {
			return nil, p.err
		}
		if sign != nil && opt.Interval <= time.Hour { // in order, for each digest holds the signature of the one before it
			digests, err := p.day.digests(sign)
			if err != nil {
				return nil, err
			}
			p.objects = p.day.with(p.objects, digests)
			if p.objects, err = plant.day(p.day, p.objects, i/opt.Accounts, i%opt.Accounts); err != nil {
				return nil, err
			}
		}
		truth.add(&p.day.truth)
		for _, o := range p.objects {
			if err := emit(o); err != nil {
				return nil, fmt.Errorf("making the trail: %s: %w", o.Name, err)
			}
		}
	}
	truth.Planted = plant.planted
	return truth, nil
}

func (t *Truth) add(u *Truth) {
	t.Objects += u.Objects
	t.Digests += u.Digests
	t.Records += u.Records
	t.Duplicates += u.Duplicates
	t.Damaged = append(t.Damaged, u.Damaged...)
	for table, n := range u.Rows {
		t.Rows[table] += n
	}
	for what, ids := range u.Events {
		t.Events[what] = append(t.Events[what], ids...)
	}
}

// day is one account's day.
type day struct {
	w       *world
	opt     Options
	a       *account
	r       *rand.Rand
	start   time.Time
	n       int
	records []record
	named   map[hour][]string // log files by region and hour, as a digest names them
	truth   Truth
}

type hour struct {
	region string
	of     int // of the day
}

func newDay(w *world, opt Options, dayIndex, accountIndex int, plan *incident) *day {
	d := &day{w: w, opt: opt, a: &w.accounts[accountIndex], start: opt.Start.AddDate(0, 0, dayIndex),
		r:     rand.New(rand.NewPCG(opt.Seed, uint64(dayIndex)<<20|uint64(accountIndex)+1)),
		truth: Truth{Rows: map[string]int{}, Events: map[string][]string{}}}
	// The first account is the busiest, each further one has half as much.
	share := 1 / float64(int(1)<<min(accountIndex, 20))
	total := 2 - 1/float64(int(1)<<min(opt.Accounts-1, 20))
	if opt.Even {
		share, total = 1, float64(opt.Accounts)
	}
	d.n = max(20, int(float64(opt.Events)/float64(opt.Days)*share/total))
	d.long()
	d.storms()
	d.work()
	d.signIns()
	d.otherKinds()
	if plan != nil {
		plan.play(d, dayIndex, accountIndex)
	}
	d.deal(dayIndex*opt.Accounts+accountIndex, opt.Days*opt.Accounts)
	return d
}

// moment draws a time of the day: office hours are three times as busy.
func (d *day) moment() time.Time {
	for {
		s := d.r.IntN(86400)
		if h := s / 3600; (h >= 7 && h < 18) || d.r.IntN(3) == 0 {
			return d.start.Add(time.Duration(s) * time.Second)
		}
	}
}

func (d *day) add(e record) {
	for _, c := range e.controls {
		d.truth.Events[c] = append(d.truth.Events[c], e.id)
	}
	d.records = append(d.records, e)
}

// work is the bulk: programs under role sessions, people under keys and sessions, services on behalf of the account.
func (d *day) work() {
	r, a := d.r, d.a
	type running struct {
		who  identity
		role *role
	}
	sessions := map[int]running{}
	for len(d.records) < d.n {
		at := d.moment()
		region := d.w.region(r)
		switch x := r.IntN(100); {
		case x < 45: // a program
			i := 4 + zipf(r, len(a.roles)-4)
			ro := &a.roles[i]
			s, ok := sessions[i]
			if !ok || r.IntN(200) == 0 {
				s = running{role: ro, who: d.assume(ro, at, region)}
				sessions[i] = s
			}
			// Bursts: programs call the same thing several times in a second or two.
			api := progAPI.pick(r)
			for range 1 + r.IntN(6) {
				d.add(newRecord(r, a, s.who, api, at, region))
				at = at.Add(time.Duration(r.IntN(2)) * time.Second)
			}
		case x < 70: // a service
			d.add(d.noise(at, region))
		case x < 90: // a person's or a pipeline's key
			p := a.users[zipf(r, len(a.users))]
			api := anyAPI.pick(r)
			e := newRecord(r, a, a.user(p), api, at, region)
			if r.IntN(60) == 0 {
				e.deny(a)
			}
			d.add(e)
		default: // a person in the console
			ro := a.roles[zipf(r, 3)]
			name := pick(r, userNames) + "@example.com"
			who := a.session(ro, name, "ASIA"+upperAlnum(r, 16), a.office, at.Add(-time.Minute), true)
			for range 2 + r.IntN(6) {
				api := anyAPI.pick(r)
				if api.data {
					continue
				}
				e := newRecord(r, a, who, api, at, region)
				e.console, e.tls = true, true
				d.add(e)
				at = at.Add(time.Duration(1+r.IntN(20)) * time.Second)
			}
		}
	}
}

// assume records a service's AssumeRole and returns the session it opens.
func (d *day) assume(ro *role, at time.Time, region string) identity {
	r, a := d.r, d.a
	key := "ASIA" + upperAlnum(r, 16)
	name := "i-0" + lowerHex(r, 16)
	svc := ro.service
	if svc == "" {
		svc = "ec2.amazonaws.com"
	}
	e := newRecord(r, a, service(svc), &api{source: "sts", name: "AssumeRole", read: true}, at.Add(-time.Second), region)
	e.request = fmt.Sprintf(`{"roleArn":"arn:aws:iam::%s:role/%s","roleSessionName":%q}`, a.id, ro.name, name)
	e.response = credentials(r, a, ro, name, key, at)
	e.resources = fmt.Sprintf(`[{"accountId":%q,"type":"AWS::IAM::Role","ARN":"arn:aws:iam::%s:role/%s"}]`, a.id, a.id, ro.name)
	e.sharedID = uuid(r)
	d.add(e)
	return a.session(*ro, name, key, fmt.Sprintf("10.0.%d.%d", r.IntN(16), r.IntN(255)), at, false)
}

func credentials(r *rand.Rand, a *account, ro *role, session, key string, at time.Time) string {
	return fmt.Sprintf(`{"credentials":{"accessKeyId":%q,"sessionToken":%q,"expiration":%q},"assumedRoleUser":{"assumedRoleId":"%s:%s","arn":"arn:aws:sts::%s:assumed-role/%s/%s"}}`,
		key, base64ish(r, 340+4*r.IntN(40))+"==", at.Add(time.Hour).UTC().Format("Jan 2, 2006, 3:04:05 PM"), ro.id, session, a.id, ro.name, session)
}

var services = []struct{ name, source, event string }{
	{"cloudtrail.amazonaws.com", "s3", "GetBucketAcl"}, {"config.amazonaws.com", "ec2", "DescribeInstances"},
	{"autoscaling.amazonaws.com", "ec2", "DescribeInstances"}, {"rds.amazonaws.com", "kms", "Decrypt"},
	{"elasticloadbalancing.amazonaws.com", "ec2", "DescribeSecurityGroups"}, {"access-analyzer.amazonaws.com", "iam", "ListRoles"},
}

func (d *day) noise(at time.Time, region string) record {
	s := services[zipf(d.r, len(services))]
	for i := range apis {
		if apis[i].name == s.event && apis[i].source == s.source {
			e := newRecord(d.r, d.a, service(s.name), &apis[i], at, region)
			e.version = "1.09"
			if d.r.IntN(40) == 0 && !apis[i].data {
				e.version = "1.02" // as in trails of the first years, and some replays of them
				e.resources = ""
			}
			return e
		}
	}
	panic("synth: no template for " + s.event)
}

// signIns are the console sign-ins of a day: people with MFA, now and then a mistyped password.
func (d *day) signIns() {
	for range 2 + d.n/4000 {
		d.add(d.signIn(d.a.users[d.r.IntN(len(d.a.users)-1)], d.moment(), true, d.r.IntN(5) > 0))
	}
}

func (d *day) signIn(p principal, at time.Time, mfa, success bool) record {
	r, a := d.r, d.a
	yes := map[bool]string{true: "Yes", false: "No"}
	e := record{at: at, region: "us-east-1", recipient: a.id, id: uuid(r), source: "signin.amazonaws.com", name: "ConsoleLogin",
		eventType: "AwsConsoleSignIn", category: "Management", management: true, version: "1.08", agent: agents[3], ip: p.ip, tls: true,
		who: identity{kind: "IAMUser", json: fmt.Sprintf(`{"type":"IAMUser","principalId":%q,"arn":"arn:aws:iam::%s:user/%s","accountId":%q,"userName":%q}`,
			p.id, a.id, p.name, a.id, p.name)},
		response:   `{"ConsoleLogin":"Success"}`,
		additional: fmt.Sprintf(`{"LoginTo":"https://console.aws.amazon.com/console/home?state=hashArgs%%23&isauthcode=true","MobileVersion":"No","MFAUsed":%q}`, yes[mfa])}
	switch {
	case !success:
		e.response, e.errorMessage = `{"ConsoleLogin":"Failure"}`, "Failed authentication"
		e.controls = append(e.controls, "console_login_failed")
	case !mfa:
		e.controls = append(e.controls, "console_login_no_mfa")
	}
	return e
}

// otherKinds are the records that are no API calls of the ordinary form: network activity, insights, aggregated, and odd ones.
func (d *day) otherKinds() {
	r, a := d.r, d.a
	for range 1 + d.n/1000 {
		at, region := d.moment(), d.w.region(r)
		id, vpce := uuid(r), "vpce-0"+lowerHex(r, 16)
		d.add(record{kind: "CloudTrail-NetworkActivity", at: at, region: region, id: id, raw: fmt.Sprintf(
			`{"eventVersion":"1.09","userIdentity":{"type":"AWSAccount","principalId":"AWS:%s","accountId":%q},"eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":"ListBuckets","awsRegion":%q,"sourceIPAddress":"10.0.1.%d","userAgent":"aws-cli","errorCode":"VpceAccessDenied","errorMessage":"The request was denied due to a VPC endpoint policy","requestParameters":null,"responseElements":null,"requestID":%q,"eventID":%q,"eventType":"AwsVpceEvents","recipientAccountId":%q,"sharedEventID":%q,"vpcEndpointId":%q,"vpcEndpointAccountId":%q,"eventCategory":"NetworkActivity"}`,
			a.id, a.id, iso(at), region, r.IntN(255), uuid(r), id, a.id, uuid(r), vpce, a.id)})
	}
	// An insight: the start and the end of an unusual rate share an id.
	at, region, shared := d.start.Add(time.Duration(8+r.IntN(8))*time.Hour), d.w.region(r), uuid(r)
	for i, state := range []string{"Start", "End"} {
		when := at.Add(time.Duration(i*(20+r.IntN(30))) * time.Minute)
		d.add(record{kind: "CloudTrail-Insight", at: when, region: region, id: "-", raw: fmt.Sprintf(
			`{"eventVersion":"1.08","eventTime":%q,"awsRegion":%q,"eventID":%q,"eventType":"AwsCloudTrailInsight","recipientAccountId":%q,"sharedEventID":%q,"insightDetails":{"state":%q,"eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","insightType":"ApiCallRateInsight","insightContext":{"statistics":{"baseline":{"average":%d.%d},"insight":{"average":%d},"insightDuration":%d,"baselineDuration":10080},"attributions":[{"attribute":"userIdentityArn","insight":[{"value":"arn:aws:sts::%s:assumed-role/app-server/x","average":12.10}],"baseline":[]}]}},"eventCategory":"Insight"}`,
			iso(when), region, uuid(r), a.id, shared, state, r.IntN(3), r.IntN(99), 10+r.IntN(50), 5+r.IntN(20), a.id)})
	}
	for h := range 24 {
		start := d.start.Add(time.Duration(h) * time.Hour)
		d.add(record{kind: "CloudTrail-Aggregated", at: start.Add(59 * time.Minute), region: d.w.regions[0], id: "-", raw: fmt.Sprintf(
			`{"eventVersion":"1.0","accountId":%q,"eventId":%q,"eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","awsRegion":%q,"eventSource":"s3.amazonaws.com","timeWindow":{"windowStart":%q,"windowEnd":%q,"windowSize":"PT1H"},"summary":{"primaryDimension":{"dimension":"eventName","statistics":[{"name":"GetObject","value":%d},{"name":"PutObject","value":%d}]},"details":[]}}`,
			a.id, uuid(r), d.w.regions[0], iso(start), iso(start.Add(time.Hour)), r.IntN(5000), r.IntN(900))})
	}
	// Shapes that trip parsers: text where an object is usual, unknown keys, number text, keys that differ in case, no identity.
	odd := []string{
		`{"eventVersion":"1.05","userIdentity":null,"eventTime":%[1]q,"eventSource":"kms.amazonaws.com","eventName":"RotateKey","awsRegion":%[2]q,"sourceIPAddress":"AWS Internal","userAgent":"AWS Internal","requestParameters":null,"responseElements":null,"eventID":%[3]q,"readOnly":"false","resources":[{"ARN":"arn:aws:kms:%[2]s:%[4]s:key/k","accountId":%[4]q,"type":"AWS::KMS::Key"}],"eventType":"AwsServiceEvent","recipientAccountId":%[4]q,"serviceEventDetails":"{\"keyId\":\"k\"}"}`,
		`{"eventVersion":"1.08","userIdentity":{"type":"Unknown","principalId":"x","future":{"deep":[1,2.50,1e3]}},"eventTime":%[1]q,"eventSource":"s3.amazonaws.com","eventName":"REST.GET.OBJECT","awsRegion":%[2]q,"sourceIPAddress":"2001:db8::1","userAgent":"x","requestParameters":"text, not an object","responseElements":[1,{"a":1.10}],"eventID":%[3]q,"EventID":"same letters, other case","newField":{"n":9007199254740993,"m":1.10},"readOnly":true,"eventType":"AwsApiCall","recipientAccountId":%[4]q,"apiVersion":20060301}`,
	}
	for _, form := range odd {
		at, region, id := d.moment(), d.w.region(r), uuid(r)
		d.add(record{at: at, region: region, id: id, raw: fmt.Sprintf(form, iso(at), region, id, a.id)})
	}
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// deliver packs the day's records into objects as CloudTrail does: by kind, region and five minutes, some minutes later, now
// and then hours later (and so in the next day's folder), in no order within an object; and a digest each hour.
func (d *day) deliver() ([]Object, error) {
	type bin struct {
		kind, region string
		stamp        time.Time
	}
	bins := map[bin][]int{}
	tables := map[string]string{"CloudTrail-Insight": "cloudtrail_insights", "CloudTrail-Aggregated": "cloudtrail_aggregated"}
	for i := range d.records {
		e := &d.records[i]
		delay := d.opt.Interval + time.Duration(d.r.IntN(6))*time.Minute
		if d.r.IntN(200) == 0 {
			delay = time.Duration(1+d.r.IntN(20)) * time.Hour
		}
		kind := cmp.Or(e.kind, "CloudTrail")
		b := bin{kind, e.region, e.at.Truncate(d.opt.Interval).Add(5*time.Minute + max(delay, d.opt.Interval).Truncate(d.opt.Interval))}
		bins[b] = append(bins[b], i)
		d.truth.Rows[cmp.Or(tables[kind], "cloudtrail_logs")]++
		d.truth.Records++
	}
	keys := make([]bin, 0, len(bins))
	for b := range bins {
		keys = append(keys, b)
	}
	slices.SortFunc(keys, func(a, b bin) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.region, b.region), a.stamp.Compare(b.stamp))
	})

	var objects []Object
	d.named = map[hour][]string{}
	var text []byte
	for _, b := range keys {
		text = append(text[:0], `{"Records":[`...)
		for n, i := range d.r.Perm(len(bins[b])) {
			if n > 0 {
				text = append(text, ',')
			}
			text = d.records[bins[b][i]].text(text)
		}
		text = append(text, "]}"...)
		data, err := zip(text)
		if err != nil {
			return nil, err
		}
		name := d.name(b.kind, b.region, b.stamp, letters(d.r, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"))
		objects = append(objects, Object{Name: name, Data: data})
		if b.kind == "CloudTrail" {
			d.list(name, b.region, b.stamp, text)
		}
		if d.opt.Faults && d.r.IntN(150) == 0 {
			again := d.name(b.kind, b.region, b.stamp.Add(5*time.Minute), letters(d.r, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"))
			objects = append(objects, Object{Name: again, Data: data})
			if d.opt.Sign && b.kind == "CloudTrail" {
				d.list(again, b.region, b.stamp.Add(5*time.Minute), text)
			}
			d.truth.Records += len(bins[b])
			d.truth.Duplicates += len(bins[b])
		}
	}
	var digests []Object
	if d.opt.Interval <= time.Hour && !d.opt.Sign {
		var err error
		if digests, err = d.digests(nil); err != nil {
			return nil, err
		}
	}
	if d.opt.Faults && d.start.Equal(d.opt.Start) && d.a == &d.w.accounts[0] {
		whole := objects[len(keys)/2]
		name := strings.TrimSuffix(whole.Name, ".json.gz") + "T.json.gz"
		objects = append(objects, Object{Name: name, Data: whole.Data[:len(whole.Data)*2/3]})
		d.truth.Damaged = append(d.truth.Damaged, name)
	}
	return d.with(objects, digests), nil
}

// with puts digests among the day's objects, in order.
func (d *day) with(objects, digests []Object) []Object {
	objects = append(objects, digests...)
	slices.SortFunc(objects, func(a, b Object) int { return cmp.Compare(a.Name, b.Name) })
	d.truth.Objects, d.truth.Digests = len(objects), len(digests)
	return objects
}

func (d *day) name(kind, region string, stamp time.Time, unique string) string {
	return fmt.Sprintf("AWSLogs/%s/%s/%s/%s/%s/%s_%s_%s_%s_%s.json.gz", d.w.org, d.a.id, kind, region,
		stamp.UTC().Format("2006/01/02"), d.a.id, kind, region, stamp.UTC().Format("20060102T1504Z"), unique)
}

// list lists a log file for the digest of the hour it is delivered in.
func (d *day) list(name, region string, stamp time.Time, text []byte) {
	hash := sha256.Sum256(text)
	at := hour{region, int(stamp.Sub(d.start) / time.Hour)}
	d.named[at] = append(d.named[at], fmt.Sprintf(
		`{"s3Bucket":"trail-archive","s3Object":%q,"hashValue":%q,"hashAlgorithm":"SHA-256","newestEventTime":%q,"oldestEventTime":%q}`,
		name, hex.EncodeToString(hash[:]), iso(stamp), iso(stamp.Add(-5*time.Minute))))
}

// span is what the digest of an hour covers, and its name.
func (d *day) span(region string, h int) (start, end time.Time, name string) {
	start = d.start.Add(time.Duration(h) * time.Hour)
	end = start.Add(time.Hour)
	return start, end, fmt.Sprintf("AWSLogs/%s/%s/CloudTrail-Digest/%s/%s/%s_CloudTrail-Digest_%s_main_%s_%s.json.gz", d.w.org, d.a.id, region,
		end.Format("2006/01/02"), d.a.id, region, region, end.Format("20060102T150405Z"))
}

// digests are the day's digest files, one an hour and region, each naming the log files delivered in that hour. Without a signer they
// are not signed, and a chain begins each day.
func (d *day) digests(sign *signer) ([]Object, error) {
	var objects []Object
	for _, region := range d.w.regions {
		previous, previousHash := "null", "null"
		for h := range 24 {
			logs := d.named[hour{region, h}]
			if sign != nil {
				o, err := sign.digest(d, region, h, append(sign.late[hour{d.a.id + region, h}], logs...))
				if err != nil {
					return nil, err
				}
				objects = append(objects, o)
				delete(sign.late, hour{d.a.id + region, h})
				continue
			}
			start, end, name := d.span(region, h)
			text := fmt.Sprintf(`{"awsAccountId":%q,"digestStartTime":%q,"digestEndTime":%q,"digestS3Bucket":"trail-archive","digestS3Object":%q,"digestPublicKeyFingerprint":"%032x","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":"trail-archive","previousDigestS3Object":%s,"previousDigestHashValue":%s,"previousDigestHashAlgorithm":"SHA-256","previousDigestSignature":null,"logFiles":[%s]}`,
				d.a.id, iso(start), iso(end), name, d.opt.Seed, previous, previousHash, strings.Join(logs, ","))
			data, err := zip([]byte(text))
			if err != nil {
				return nil, err
			}
			hash := sha256.Sum256([]byte(text))
			previous, previousHash = quote(name), quote(hex.EncodeToString(hash[:]))
			objects = append(objects, Object{Name: name, Data: data})
		}
	}
	for at, logs := range d.named {
		if sign != nil && at.of >= 24 { // delivered on the next day
			late := hour{d.a.id + at.region, at.of - 24}
			sign.late[late] = append(sign.late[late], logs...)
		}
	}
	return objects, nil
}

func zip(text []byte) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(text); err != nil {
		return nil, fmt.Errorf("compressing an object: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing an object: %w", err)
	}
	return out.Bytes(), nil
}
