package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

// The macros of CloudTrail's meaning, held against identities as CloudTrail's user guide describes them and against a walk over plain JSON.

func TestPrincipalName(t *testing.T) {
	const issuer = `"sessionContext":{"sessionIssuer":{"type":"Role","userName":%q}}`
	cases := []struct{ identity, want string }{
		{`{"type":"Root","principalId":"111111111111","arn":"arn:aws:iam::111111111111:root","accountId":"111111111111","userName":"alias"}`, "root"},
		{`{"type":"Root","invokedBy":"support.amazonaws.com"}`, "root"},
		{`{"type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::111111111111:user/team/eve","userName":"eve"}`, "eve"},
		{`{"type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::111111111111:user/team/eve"}`, "eve"},
		{`{"type":"IAMUser","principalId":"AIDA1","userName":""}`, "AIDA1"},
		{`{"type":"AssumedRole","principalId":"AROA1:i-01","arn":"arn:aws:sts::111111111111:assumed-role/app/i-01",` + fmt.Sprintf(issuer, "app") + `}`, "app/i-01"},
		{`{"type":"AssumedRole","principalId":"AROA1:i-01","arn":"arn:aws:sts::111111111111:assumed-role/app/i-01"}`, "app/i-01"},
		{`{"type":"AssumedRole","principalId":"AROA1:i-01",` + fmt.Sprintf(issuer, "app") + `}`, "app/i-01"},
		{`{"type":"AssumedRole",` + fmt.Sprintf(issuer, "app") + `}`, "app"},
		{`{"type":"AssumedRole","principalId":"AROA1"}`, "AROA1"},
		// A role of Identity Center: the permission set and what the service appends to its name.
		{`{"type":"AssumedRole","arn":"arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Power_User_0123456789abcdef/eve@example.com"}`, "Power_User/eve@example.com"},
		{`{"type":"AssumedRole","arn":"arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_of_mine/eve"}`, "AWSReservedSSO_of_mine/eve"},
		{`{"type":"Role","principalId":"AROA1","arn":"arn:aws:iam::111111111111:role/app"}`, "app"},
		{`{"type":"FederatedUser","principalId":"111111111111:eve","arn":"arn:aws:sts::111111111111:federated-user/eve",` + fmt.Sprintf(issuer, "broker") + `}`, "eve"},
		{`{"type":"WebIdentityUser","principalId":"arn:aws:iam::111111111111:oidc-provider/idp:client:sub","userName":"sub","identityProvider":"idp"}`, "sub"},
		{`{"type":"SAMLUser","principalId":"qualifier:eve@example.com","userName":"eve@example.com","identityProvider":"qualifier"}`, "eve@example.com"},
		{`{"type":"AWSAccount","principalId":"AROA1:night-job","accountId":"222222222222"}`, "222222222222/night-job"},
		{`{"type":"AWSAccount","principalId":"AIDA1","accountId":"222222222222"}`, "222222222222/AIDA1"},
		{`{"type":"AWSAccount","principalId":"222222222222","accountId":"222222222222"}`, "222222222222"},
		{`{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}`, "ANONYMOUS_PRINCIPAL"},
		{`{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}`, "ec2.amazonaws.com"},
		{`{"type":"Directory","principalId":"d-1","userName":"eve"}`, "eve"},
		{`{"type":"IdentityCenterUser","accountId":"111111111111","onBehalfOf":{"userId":"u-1","identityStoreArn":"arn:aws:identitystore::111111111111:identitystore/d-1"}}`, "u-1"},
		{`{"type":"Unknown","principalId":"u-2","accountId":"111111111111","userName":"eve@example.com"}`, "eve@example.com"},
		{`{"type":"Unknown","accountId":"111111111111"}`, "111111111111"},
		{`{"arn":"arn:aws:iam::111111111111:root"}`, "root"},
		{`{"invokedBy":"AWS Internal"}`, "AWS Internal"},
		{`{"type":"AWSService"}`, null},
		{`{}`, null},
		{`null`, null},
	}
	var events []string
	for i, c := range cases {
		events = append(events, eventOf(fmt.Sprintf("e%02d", i), `,"userIdentity":`+c.identity))
	}
	lake := filepath.Join(t.TempDir(), "lake")
	compactTo(t, 0, lake, objects{trailName(1): gzipped(recordsOf(events...))}.write(t, t.TempDir()))
	for _, sql := range []string{
		`SELECT eventid, principal_name(useridentity) FROM cloudtrail_logs ORDER BY 1`,
		`SELECT eventid, principal_name(e.userIdentity) FROM 0a1b2c3d-4e5f-6789-abcd-ef0123456789 e ORDER BY 1`,
		`SELECT eventid, principal_name(json_extract(eventjson, '$.userIdentity')) FROM cloudtrail_logs ORDER BY 1`,
		`SELECT eventid, max(principal_name(json_format(json_extract(eventjson, '$.userIdentity')))) FROM cloudtrail_lake GROUP BY eventid ORDER BY 1`,
		`SELECT eventid, principal_name(arbitrary(useridentity)) FROM cloudtrail_logs GROUP BY eventid ORDER BY 1`,
		`SELECT eventid, (SELECT principal_name(outside.useridentity)) FROM cloudtrail_logs outside ORDER BY 1`,
	} {
		for i, row := range rowsOf(t, lake, sql) {
			if row[1] != cases[i].want {
				t.Errorf("%s\n  %s is %s, want %s", sql, cases[i].identity, row[1], cases[i].want)
			}
		}
	}
}

// issue is an event that gives a key, and what a walk makes of it: how deep it is and the keys that led to it.
type issue struct {
	key, by             string
	place               string // the order of those that issue one key
	via, id, role, self string // self: the ARN of the session
	depth               int
	chain               []string
}

// issueOf says which key e issues, if any.
func issueOf(e event) (i issue, ok bool) {
	i = issue{by: e.text("useridentity.accesskeyid"), via: e.text("eventname"), id: e.text("eventid"), role: null, self: e.at("responseElements", "assumedRoleUser", "arn")}
	switch {
	case e.text("eventsource") == "sts.amazonaws.com":
		i.key = e.at("responseElements", "credentials", "accessKeyId")
	case e.text("eventsource") == "iam.amazonaws.com" && i.via == "CreateAccessKey":
		i.key = e.at("responseElements", "accessKey", "accessKeyId")
	}
	for _, role := range []string{e.at("responseElements", "accessKey", "userName"), e.at("responseElements", "federatedUser", "arn"), e.at("requestParameters", "roleArn")} {
		if role != null {
			i.role = role
		}
	}
	at, timed := e.time()
	i.place = at.Format(time.RFC3339Nano) + i.id
	return i, timed && i.key != "" && i.key != null
}

// sessionsOf walks from a start breadth first, a round for each depth; of those that issue a key in one round the earliest counts.
func sessionsOf(es []event, start string) (rows [][]string) {
	var issues []issue
	for _, e := range es {
		if i, ok := issueOf(e); ok {
			issues = append(issues, i)
		}
	}
	slices.SortFunc(issues, func(a, b issue) int { return cmp.Compare(a.place, b.place) })
	arn := strings.HasPrefix(start, "arn:")
	acts := func(e event) bool {
		return arn && (e.text("useridentity.arn") == start || e.at("userIdentity", "sessionContext", "sessionIssuer", "arn") == start)
	}
	reached := map[string]issue{}
	begin := func(i issue) {
		if _, known := reached[i.key]; !known && i.key != "" && i.key != null {
			i.chain = []string{i.key}
			reached[i.key] = i
		}
	}
	unissued := issue{via: null, id: null, role: null}
	for _, i := range issues {
		if arn && (i.role == start || i.self == start) {
			begin(i)
		}
	}
	for _, e := range es {
		if acts(e) {
			unissued.key = e.text("useridentity.accesskeyid")
			begin(unissued)
		}
	}
	if !arn {
		unissued.key = start
		begin(unissued)
	}
	for depth, more := 1, true; more; depth++ {
		next := map[string]issue{}
		for _, i := range issues {
			from, known := reached[i.by]
			_, before := reached[i.key]
			_, earlier := next[i.key]
			if known && !before && !earlier {
				i.depth, i.chain = depth, append(slices.Clone(from.chain), i.key)
				next[i.key] = i
			}
		}
		maps.Copy(reached, next)
		more = len(next) > 0
	}
	for _, e := range es {
		key := e.text("useridentity.accesskeyid")
		if i, ok := reached[key]; ok {
			rows = append(rows, []string{strconv.Itoa(i.depth), key, i.via, i.id, i.role, "[" + strings.Join(i.chain, ", ") + "]", e.text("eventid")})
		} else if acts(e) && (key == null || key == "") {
			rows = append(rows, []string{"0", null, null, null, null, null, e.text("eventid")})
		}
	}
	return rows
}

const sessionColumns = `SELECT depth, accesskeyid, via, issued_by, role, chain, eventid FROM `

func checkSessions(t *testing.T, lake string, es []event, start string) (deepest int) {
	t.Helper()
	want := sessionsOf(es, start)
	got := rowsOf(t, lake, sessionColumns+`TABLE(sessions_of('`+start+`'))`)
	for _, rows := range [][][]string{got, want} {
		slices.SortFunc(rows, slices.Compare)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("sessions_of('%s'): %d rows, want %d; first difference\n got %v\nwant %v", start, len(got), len(want), differing(got, want), differing(want, got))
	}
	for _, row := range want {
		depth, _ := strconv.Atoi(row[0])
		deepest = max(deepest, depth)
	}
	return deepest
}

// differing is the first row of a that b has not in its place.
func differing(a, b [][]string) []string {
	for i, row := range a {
		if i >= len(b) || !slices.Equal(row, b[i]) {
			return row
		}
	}
	return nil
}

// starts are keys and ARNs of the events: of each issuer and of some others.
func starts(es []event) []string {
	seen := map[string]bool{}
	for i, e := range es {
		role := e.at("userIdentity", "sessionContext", "sessionIssuer", "arn")
		for _, s := range []string{e.text("useridentity.accesskeyid"), e.text("useridentity.arn"), role} {
			if s != null && s != "" && (i%97 == 0 || e.at("responseElements", "credentials") != null || e.text("eventname") == "CreateAccessKey") {
				seen[s] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func TestSessionsOfGeneratedTrail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "trail")
	truth := writeTrail(t, dir, synth.Options{Seed: 7, Events: 4000, Days: 2, Incident: true, Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)})
	lake := filepath.Join(t.TempDir(), "lake")
	compactTo(t, 0, lake, dir)
	es := readTrail(t, dir)
	// The generator says by which keys its intruder came, over two accounts.
	story := truth.Incident
	expect(t, lake, `SELECT DISTINCT depth, accesskeyid, recipientaccountid FROM sessions_of('`+story.AccessKey+`') WHERE sourceipaddress = '`+story.IP+`' ORDER BY depth`,
		"0|"+story.AccessKey+"|"+story.Account, "1|"+story.Keys[0]+"|"+story.Target, "2|"+story.Keys[1]+"|"+story.Target)
	if deepest := checkSessions(t, lake, es, story.AccessKey); deepest != 2 {
		t.Errorf("the walk over plain JSON goes %d deep", deepest)
	}
	all := starts(es)
	for i, start := range all {
		if i%max(1, len(all)/5) == 0 {
			checkSessions(t, lake, es, start)
		}
	}
}

func TestSessionsOfRealEvents(t *testing.T) {
	var trails []string
	for _, trail := range sharedTrails(t) {
		switch filepath.Base(filepath.Dir(trail)) {
		case "stratus-red-team", "traildiscover":
			trails = append(trails, trail)
		}
	}
	lake := filepath.Join(t.TempDir(), "lake")
	compactTo(t, 0, lake, trails...)
	var es []event
	for _, trail := range trails {
		es = append(es, readTrail(t, trail)...)
	}
	all := starts(es)
	for i, start := range all {
		if i%max(1, len(all)/5) == 0 && !strings.Contains(start, "'") {
			checkSessions(t, lake, es, start)
		}
	}
}

// TestSessionsOfChains: each way to a key, cycles, detours, a chain that goes on and on, and starts that there are not.
func TestSessionsOfChains(t *testing.T) {
	n := 0
	var events []string
	add := func(source, name, by, request, response string) {
		n++
		var e map[string]any
		text := fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-03-01T%02d:%02d:%02dZ","eventSource":"%s.amazonaws.com","eventName":%q,"awsRegion":"eu-west-%d","recipientAccountId":"%012d",`+
			`"eventID":"e%03d","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111111111111:user/eve","accessKeyId":%q},"requestParameters":%s,"responseElements":%s}`,
			n/3600, n/60%60, n%60, source, name, 1+n%3, 111111111111*(1+n%2), n, by, cmp.Or(request, "null"), cmp.Or(response, "null"))
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, text)
	}
	credentials := func(key string) string { return fmt.Sprintf(`{"credentials":{"accessKeyId":%q}}`, key) }
	assume := func(by, key string) {
		add("sts", "AssumeRole", by, `{"roleArn":"arn:aws:iam::222222222222:role/`+key+`"}`, credentials(key))
	}
	use := func(key string) { add("s3", "GetObject", key, `{"bucketName":"b"}`, "") }

	add("sts", "GetSessionToken", "AKIA1", "", credentials("ASIA1"))
	add("sts", "GetFederationToken", "AKIA1", `{"name":"fed"}`, `{"credentials":{"accessKeyId":"ASIA2"},"federatedUser":{"arn":"arn:aws:sts::111111111111:federated-user/fed"}}`)
	add("iam", "CreateAccessKey", "ASIA1", `{"userName":"backup"}`, `{"accessKey":{"accessKeyId":"AKIA2","userName":"backup"}}`)
	assume("AKIA2", "ASIA3")
	assume("ASIA2", "ASIA3")                                           // a detour to the same key
	add("sts", "AssumeRole", "ASIA3", `{"roleArn":"refused"}`, "")     // gives no key
	add("sts", "GetCallerIdentity", "ASIA3", "", `{"arn":"somebody"}`) // nor does this
	add("other", "AssumeRole", "ASIA3", "", credentials("ASIA-other")) // nor this, of another service
	for _, key := range []string{"AKIA1", "ASIA1", "ASIA2", "AKIA2", "ASIA3", "ASIA-other", "ASIA-unused", ""} {
		use(key)
	}
	// A cycle of three that no way leads out of, and a key that issues itself.
	assume("LOOP1", "LOOP2")
	assume("LOOP2", "LOOP3")
	assume("LOOP3", "LOOP1")
	assume("SELF", "SELF")
	use("LOOP3")
	// A role that assumes itself again and again.
	for i := range 130 {
		assume(fmt.Sprintf("CHAIN%03d", i), fmt.Sprintf("CHAIN%03d", i+1))
	}
	use("CHAIN130")

	dir := objects{trailName(1): gzipped(recordsOf(events...))}.write(t, t.TempDir())
	lake := filepath.Join(t.TempDir(), "lake")
	compactTo(t, 0, lake, dir)
	es := readTrail(t, dir)
	for _, c := range []struct {
		start   string
		deepest int
	}{
		{"AKIA1", 2}, {"ASIA1", 2}, {"AKIA2", 1}, {"ASIA3", 0}, {"LOOP1", 2}, {"LOOP3", 2}, {"SELF", 0}, {"CHAIN000", 130}, {"CHAIN100", 30},
		{"arn:aws:iam::111111111111:user/eve", 0}, {"arn:aws:iam::222222222222:role/ASIA3", 0}, {"arn:aws:sts::111111111111:federated-user/fed", 1},
		{"nothing", 0}, {"arn:aws:iam::111111111111:user/nobody", 0}, {"arn:%", 0}, {"", 0},
	} {
		if deepest := checkSessions(t, lake, es, c.start); deepest != c.deepest {
			t.Errorf("%s: the walk over plain JSON goes %d deep, not %d", c.start, deepest, c.deepest)
		}
	}
	for sql, want := range map[string]string{
		`SELECT count(*) FROM TABLE(sessions_of(NULL))`:                                                     "0",
		`SELECT count(*) FROM sessions_of('ASIA' || CAST(3 AS varchar)) AS s WHERE depth = 0`:               "4",
		`SELECT count(*) FROM sessions_of('ASIA3') a JOIN sessions_of('ASIA2') b USING (eventid)`:           "4",
		`SELECT count(DISTINCT issued_at) FROM sessions_of('AKIA1') WHERE _time > issued_at`:                "4",
		`SELECT count(*) FROM sessions_of('AKIA1') WHERE eventjson LIKE '%AKIA1%' AND region = 'eu-west-1'`: "1",
	} {
		expect(t, lake, sql, want)
	}
}
