package synth

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// incident is a story over two accounts in one day: a deployment key leaks, its finder looks around, is refused, makes
// himself a user and a key, signs in without MFA, assumes a role into the other account and on into a second one, blinds
// the trail and Config, opens a port, empties a bucket, makes it public and schedules a key's deletion; the root user is
// used to leave a way back. In the morning the owners find out, and mend the trail as root.
type incident struct {
	story    Incident
	day      int
	at       time.Time
	from, to int // accounts
	keys     [2]string
}

func newIncident(w *world, opt Options) *incident {
	if !opt.Incident {
		return nil
	}
	r := rand.New(rand.NewPCG(opt.Seed, 0x696e636964656e74))
	p := &incident{day: opt.Days / 2, to: min(1, opt.Accounts-1)}
	p.at = opt.Start.AddDate(0, 0, p.day).Add(2*time.Hour + time.Duration(r.IntN(3600))*time.Second)
	p.keys = [2]string{"ASIA" + upperAlnum(r, 16), "ASIA" + upperAlnum(r, 16)}
	from, to := &w.accounts[p.from], &w.accounts[p.to]
	p.story = Incident{AccessKey: from.users[len(from.users)-1].accessKey, IP: "198.51.100.77", Account: from.id, Target: to.id,
		Keys: p.keys[:], Bucket: to.buckets[2], Date: p.at.Format(time.DateOnly)}
	return p
}

// play adds the part of the story that is logged in this account on this day.
func (p *incident) play(d *day, dayIndex, accountIndex int) {
	if dayIndex != p.day {
		return
	}
	if accountIndex == p.from {
		p.intrusion(d)
	}
	if accountIndex == p.to {
		p.damage(d)
	}
}

const intruderAgent = "python-requests/2.32.3"

// act adds one call of the intruder some seconds after the one before.
func (p *incident) act(d *day, who identity, call api, after time.Duration, edit func(*record)) time.Duration {
	who.ip, who.agent = p.story.IP, intruderAgent
	region := d.w.regions[0]
	e := newRecord(d.r, d.a, who, &call, p.at.Add(after), region)
	e.controls = append(e.controls, "incident")
	if edit != nil {
		edit(&e)
	}
	d.add(e)
	return after + time.Duration(3+d.r.IntN(30))*time.Second
}

func (p *incident) intrusion(d *day) {
	a := d.a
	deploy := a.user(a.users[len(a.users)-1])
	t := p.act(d, deploy, api{source: "sts", name: "GetCallerIdentity", read: true}, 0, nil)
	for _, name := range []string{"ListUsers", "ListRoles", "GetAccountAuthorizationDetails", "ListAttachedUserPolicies"} {
		t = p.act(d, deploy, api{source: "iam", name: name, read: true, global: true, request: none}, t, nil)
	}
	for _, call := range []api{{source: "s3", name: "ListBuckets", read: true}, {source: "ec2", name: "DescribeInstances", read: true, request: describeInstances},
		{source: "secretsmanager", name: "ListSecrets", read: true}, {source: "organizations", name: "DescribeOrganization", read: true}} {
		t = p.act(d, deploy, call, t, func(e *record) { e.deny(a) })
	}
	t = p.act(d, deploy, api{source: "iam", name: "CreateUser", global: true, request: fixed(`{"userName":"support-backup"}`)}, t, nil)
	t = p.act(d, deploy, api{source: "iam", name: "CreateAccessKey", global: true, request: fixed(`{"userName":"support-backup"}`)}, t, nil)
	t = p.act(d, deploy, api{source: "iam", name: "AttachUserPolicy", global: true, control: "iam_policy_change",
		request: fixed(`{"userName":"support-backup","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}`)}, t, nil)
	t = p.act(d, deploy, api{source: "iam", name: "CreateLoginProfile", global: true, request: fixed(`{"userName":"support-backup","passwordResetRequired":false}`)}, t, nil)

	backup := principal{name: "support-backup", id: "AIDA" + upperAlnum(d.r, 17), ip: p.story.IP}
	for i := range 3 {
		e := d.signIn(backup, p.at.Add(t), false, i == 2)
		e.agent, e.controls = intruderAgent, append(e.controls, "incident")
		d.add(e)
		t += 40 * time.Second
	}
	// The role chain: the leaked key assumes a role in the target account; the call is logged here and there.
	p.assumed(d, deploy, 0, t, true)
	for _, name := range []string{"StopLogging", "DeleteTrail"} {
		t = p.act(d, deploy, api{source: "cloudtrail", name: name, control: "trail_change", request: fixed(`{"name":"organisation-trail"}`)}, t, nil)
	}
	p.act(d, deploy, api{source: "organizations", name: "LeaveOrganization", control: "organizations_change", global: true}, t, func(e *record) { e.deny(a) })
	p.recovery(d)
}

// recovery is what the owners do at the beginning of the working day.
func (p *incident) recovery(d *day) {
	at := p.at.Truncate(time.Hour).Add(6*time.Hour + time.Duration(d.r.IntN(1800))*time.Second)
	e := d.signIn(d.a.users[0], at, false, true)
	e.who, e.ip, e.controls = d.a.root(), d.a.office, []string{"root_use"}
	d.add(e)
	for _, name := range []string{"CreateTrail", "UpdateTrail", "StartLogging"} {
		at = at.Add(time.Duration(20+d.r.IntN(60)) * time.Second)
		call := api{source: "cloudtrail", name: name, control: "trail_change", request: fixed(`{"name":"organisation-trail","s3BucketName":"trail-archive"}`)}
		e := newRecord(d.r, d.a, d.a.root(), &call, at, d.w.regions[0])
		e.controls = append(e.controls, "root_use")
		d.add(e)
	}
}

// assumed records the link-th AssumeRole of the chain, whose answer issues keys[link].
func (p *incident) assumed(d *day, who identity, link int, after time.Duration, elsewhere bool) {
	target := &d.w.accounts[p.to]
	ro := target.roles[3+link] // OrganizationAccountAccessRole, then app-server
	who.ip, who.agent = p.story.IP, intruderAgent
	e := newRecord(d.r, d.a, who, &api{source: "sts", name: "AssumeRole", read: true}, p.at.Add(after), d.w.regions[0])
	e.request = fmt.Sprintf(`{"roleArn":"arn:aws:iam::%s:role/%s","roleSessionName":"maintenance","durationSeconds":3600}`, target.id, ro.name)
	e.response = credentials(d.r, target, &ro, "maintenance", p.keys[link], e.at)
	e.controls = append(e.controls, "incident", "role_chain")
	if elsewhere {
		e.sharedID = fmt.Sprintf("%s-shared", p.keys[link])
	}
	d.add(e)
}

func (p *incident) damage(d *day) {
	a := d.a
	t := 20 * time.Minute
	first := a.session(a.roles[3], "maintenance", p.keys[0], p.story.IP, p.at.Add(t), false)
	t = p.act(d, first, api{source: "sts", name: "GetCallerIdentity", read: true}, t, nil)
	p.assumed(d, first, 1, t, false)
	t += 30 * time.Second
	second := a.session(a.roles[4], "maintenance", p.keys[1], p.story.IP, p.at.Add(t), false)
	t = p.act(d, first, api{source: "config", name: "StopConfigurationRecorder", control: "config_change", request: fixed(`{"configurationRecorderName":"default"}`)}, t, nil)
	t = p.act(d, first, api{source: "ec2", name: "AuthorizeSecurityGroupIngress", control: "security_group_change", request: ingress("0.0.0.0/0")}, t, nil)
	t = p.act(d, first, api{source: "ec2", name: "CreateNetworkAclEntry", control: "network_acl_change", request: fixed(`{"networkAclId":"acl-01","ruleNumber":1,"egress":false,"ruleAction":"allow","cidrBlock":"0.0.0.0/0"}`)}, t, nil)
	t = p.act(d, first, api{source: "ec2", name: "AttachInternetGateway", control: "gateway_change", request: fixed(`{"internetGatewayId":"igw-01","vpcId":"vpc-01"}`)}, t, nil)
	t = p.act(d, first, api{source: "ec2", name: "CreateRoute", control: "route_change", request: fixed(`{"routeTableId":"rtb-01","destinationCidrBlock":"0.0.0.0/0","gatewayId":"igw-01"}`)}, t, nil)
	t = p.act(d, first, api{source: "ec2", name: "ModifyVpcAttribute", control: "vpc_change", request: fixed(`{"vpcId":"vpc-01","enableDnsHostnames":{"value":true}}`)}, t, nil)
	t = p.act(d, second, api{source: "ec2", name: "RunInstances", request: fixed(`{"instancesSet":{"items":[{"imageId":"ami-01","minCount":8,"maxCount":8}]},"instanceType":"p5.48xlarge"}`)}, t, nil)
	for i := range 120 {
		request := fmt.Sprintf(`{"bucketName":%q,"Host":"%s.s3.amazonaws.com","key":"export/2026/customers-%03d.csv"}`, p.story.Bucket, p.story.Bucket, i)
		p.act(d, second, api{source: "s3", name: "GetObject", read: true, data: true, request: fixed(request), resources: bucketResources},
			t+time.Duration(i)*2*time.Second, func(e *record) {
				e.additional = fmt.Sprintf(`{"SignatureVersion":"SigV4","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","bytesTransferredOut":%d}`, 40_000_000+d.r.IntN(20_000_000))
			})
	}
	t += 5 * time.Minute
	public := fixed(fmt.Sprintf(`{"bucketName":%q,"bucketPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}}`, p.story.Bucket, p.story.Bucket))
	t = p.act(d, second, api{source: "s3", name: "PutBucketPolicy", control: "s3_policy_change", request: public, resources: bucketResources}, t, nil)
	t = p.act(d, first, api{source: "kms", name: "ScheduleKeyDeletion", control: "kms_key_disabled", request: fixed(fmt.Sprintf(`{"keyId":%q,"pendingWindowInDays":7}`, a.keys[0]))}, t, nil)
	t = p.act(d, first, api{source: "organizations", name: "DetachPolicy", control: "organizations_change", global: true, request: fixed(`{"policyId":"p-01","targetId":"ou-01"}`)}, t, nil)
	p.act(d, a.root(), api{source: "iam", name: "CreateAccessKey", global: true, control: "root_use"}, t, nil)
}
