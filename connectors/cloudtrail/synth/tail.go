package synth

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// A trail is mostly short records that come evenly. An account with more than quiet events a day has what is rare, too.
const (
	quiet     = 2000
	perLong   = 250     // of the events above quiet, one in so many is long …
	perStorm  = 5000    // … and so many make a storm
	shortest  = 2 << 10 // bytes of a long record
	longest   = 100_000 // CloudTrail leaves out parameters that are longer
	stormMost = 600
)

// long adds records of any length from 2 to 100 kB: twice the length is half as common.
func (d *day) long() {
	for range max(0, d.n-quiet) / perLong {
		size := int(shortest * math.Exp(d.r.Float64()*math.Log(longest/float64(shortest))))
		call := longCalls[d.r.IntN(len(longCalls))]
		at, region := d.moment(), d.w.region(d.r)
		p := d.a.users[zipf(d.r, len(d.a.users))]
		e := newRecord(d.r, d.a, d.a.user(p), &call.api, at, region)
		// A record has about 1 kB beside its parameters.
		text := call.open + call.list(d.r, d.a, region, min(size, call.most)-1000) + call.end
		if call.answers {
			e.response = text
		} else {
			e.request = text
		}
		d.add(e)
	}
}

// longCall is a call that says or answers much: a list of like things.
type longCall struct {
	api
	answers   bool // the answer is long, not the request
	most      int  // bytes: what the service takes
	open, end string
	item      func(r *rand.Rand, a *account, region string, i int) string
}

func (c *longCall) list(r *rand.Rand, a *account, region string, size int) string {
	var b strings.Builder
	for i := 0; i == 0 || b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(c.item(r, a, region, i))
	}
	return b.String()
}

var longCalls = []longCall{
	{api: api{source: "s3", name: "PutBucketPolicy", control: "s3_policy_change"}, most: 20 << 10,
		open: `{"bucketName":"shared-data","Host":"s3.amazonaws.com","bucketPolicy":{"Version":"2012-10-17","Statement":[`, end: `]}}`,
		item: func(r *rand.Rand, a *account, _ string, i int) string {
			return fmt.Sprintf(`{"Sid":"Share%03d","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::shared-data","arn:aws:s3:::shared-data/%s/*"],"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-%s"}}}`,
				i, digits(r, 12), lowerHex(r, 6), lowerAlnum(r, 10))
		}},
	{api: api{source: "ec2", name: "RunInstances", request: runInstances}, answers: true, most: longest,
		open: `{"requestId":"-","reservationId":"r-0f00","instancesSet":{"items":[`, end: `]}}`,
		item: func(r *rand.Rand, a *account, region string, i int) string {
			return fmt.Sprintf(`{"instanceId":"i-0%s","imageId":"ami-0a1b2c3d4e5f60718","instanceState":{"code":0,"name":"pending"},"privateDnsName":"ip-10-0-%d-%d.%s.compute.internal","amiLaunchIndex":%d,"instanceType":"c7i.xlarge","placement":{"availabilityZone":"%sa","tenancy":"default"},"monitoring":{"state":"disabled"},"subnetId":"subnet-0a1","vpcId":"vpc-02","privateIpAddress":"10.0.%d.%d","networkInterfaceSet":{"items":[{"networkInterfaceId":"eni-0%s","macAddress":"02:%s:%s:%s:%s:%s","groupSet":{"items":[{"groupId":%q,"groupName":"web"}]}}]},"ebsOptimized":false}`,
				lowerHex(r, 16), r.IntN(255), r.IntN(255), region, i, region, r.IntN(255), r.IntN(255), lowerHex(r, 16),
				lowerHex(r, 2), lowerHex(r, 2), lowerHex(r, 2), lowerHex(r, 2), lowerHex(r, 2), pick(r, a.groups))
		}},
	{api: api{source: "cloudformation", name: "CreateChangeSet"}, most: 60_000,
		open: `{"stackName":"platform","changeSetName":"deploy","changeSetType":"UPDATE","capabilities":["CAPABILITY_NAMED_IAM"],"parameters":[`, end: `]}`,
		item: func(r *rand.Rand, _ *account, _ string, i int) string {
			return fmt.Sprintf(`{"parameterKey":"Image%d%s","parameterValue":"sha256:%s","usePreviousValue":%t}`,
				i, pick(r, []string{"Digest", "Reference", "Tag"}), lowerHex(r, 64), r.IntN(2) == 0)
		}},
	{api: api{source: "ecs", name: "RegisterTaskDefinition"}, most: 64_000,
		open: `{"family":"checkout","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"1024","memory":"2048","containerDefinitions":[{"name":"app","essential":true,"environment":[`, end: `]}]}`,
		item: func(r *rand.Rand, _ *account, region string, i int) string {
			return fmt.Sprintf(`{"name":"%s_%d","value":"https://%s.%s.example.com:%d/%s"}`,
				pick(r, []string{"QUEUE_URL", "DATABASE_HOST", "FEATURE_FLAG", "CACHE_ENDPOINT"}), i, lowerAlnum(r, 12), region, 1024+r.IntN(60000), lowerAlnum(r, 8))
		}},
	{api: api{source: "glue", name: "BatchCreatePartition"}, most: longest,
		open: `{"databaseName":"events","tableName":"clicks","partitionInputList":[`, end: `]}`,
		item: func(r *rand.Rand, a *account, _ string, i int) string {
			return fmt.Sprintf(`{"values":["2026","%02d","%02d","%02d"],"storageDescriptor":{"columns":[{"name":"id","type":"string"},{"name":"at","type":"timestamp"},{"name":"page","type":"string"}],"location":"s3://%s/clicks/%s/","inputFormat":"org.apache.hadoop.mapred.TextInputFormat","compressed":true,"numberOfBuckets":-1,"storedAsSubDirectories":false},"parameters":{"objectCount":"%d","averageRecordSize":"%d"}}`,
				1+r.IntN(12), 1+r.IntN(28), i%24, pick(r, a.buckets), lowerHex(r, 8), r.IntN(5000), r.IntN(2000))
		}},
}

// storms are programs that run wild: one call, hundreds of times within two minutes, until the service slows them down.
func (d *day) storms() {
	for range max(0, d.n-quiet) / perStorm {
		begun, region := d.moment(), d.w.region(d.r)
		ro := &d.a.roles[4+zipf(d.r, len(d.a.roles)-4)]
		who := d.assume(ro, begun, region)
		call := progAPI.pick(d.r)
		for i := range stormMost/6 + d.r.IntN(stormMost) {
			e := newRecord(d.r, d.a, who, call, begun.Add(time.Duration(d.r.IntN(120))*time.Second), region)
			if i > stormMost/2 && d.r.IntN(2) == 0 {
				e.response, e.errorCode, e.errorMessage = "", "ThrottlingException", "Rate exceeded"
			}
			d.add(e)
		}
	}
}
