package synth

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// api is a template of one API call. Its texts are built from the account's things and chance.
type api struct {
	source, name string
	read         bool
	data         bool
	global       bool   // logged in us-east-1 wherever it is called
	control      string // the CIS control whose events it belongs to
	weight       float64
	request      func(r *rand.Rand, a *account, region string) string
	response     func(r *rand.Rand, a *account, region string) string
	resources    func(a *account, request string) string
}

func object(r *rand.Rand, a *account, _ string) string {
	return fmt.Sprintf(`{"bucketName":%q,"Host":"%s.s3.amazonaws.com","key":"%s/%s/part-%05d.parquet"}`,
		pick(r, a.buckets), pick(r, a.buckets), pick(r, []string{"orders", "clicks", "exports", "images"}), lowerHex(r, 4), r.IntN(100000))
}

func bucket(r *rand.Rand, a *account, _ string) string {
	return fmt.Sprintf(`{"bucketName":%q,"Host":"s3.amazonaws.com"}`, pick(r, a.buckets))
}

func bucketResources(a *account, request string) string {
	_, rest, _ := strings.Cut(request, `"bucketName":"`)
	name, _, _ := strings.Cut(rest, `"`)
	_, rest, hasKey := strings.Cut(request, `"key":"`)
	key, _, _ := strings.Cut(rest, `"`)
	whole := fmt.Sprintf(`{"accountId":%q,"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::%s"}`, a.id, name)
	if !hasKey {
		return "[" + whole + "]"
	}
	return fmt.Sprintf(`[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::%s/%s"},%s]`, name, key, whole)
}

func kmsKey(r *rand.Rand, a *account, region string) string {
	return fmt.Sprintf(`{"keyId":"arn:aws:kms:%s:%s:key/%s","encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::%s"}}`,
		region, a.id, pick(r, a.keys), pick(r, a.buckets))
}

func kmsResources(a *account, request string) string {
	_, rest, _ := strings.Cut(request, `"keyId":"`)
	arn, _, _ := strings.Cut(rest, `"`)
	return fmt.Sprintf(`[{"accountId":%q,"type":"AWS::KMS::Key","ARN":%q}]`, a.id, arn)
}

func none(*rand.Rand, *account, string) string { return "{}" }

func describeInstances(r *rand.Rand, _ *account, _ string) string {
	if r.IntN(3) > 0 {
		return `{"maxResults":100,"instancesSet":{},"filterSet":{}}`
	}
	return fmt.Sprintf(`{"instancesSet":{"items":[{"instanceId":"i-0%s"}]},"filterSet":{}}`, lowerHex(r, 16))
}

func runInstances(r *rand.Rand, a *account, _ string) string {
	return fmt.Sprintf(`{"instancesSet":{"items":[{"imageId":"ami-0%s","minCount":1,"maxCount":%d}]},"groupSet":{"items":[{"groupId":%q}]},"instanceType":%q,"blockDeviceMapping":{},"monitoring":{"enabled":false},"disableApiTermination":false,"ebsOptimized":false}`,
		lowerHex(r, 16), 1+r.IntN(3), pick(r, a.groups), pick(r, []string{"t3.medium", "m7g.large", "c7i.xlarge"}))
}

// launched is long, as answers to RunInstances are.
func launched(r *rand.Rand, a *account, region string) string {
	var items []string
	for range 1 + r.IntN(3) {
		items = append(items, fmt.Sprintf(`{"instanceId":"i-0%s","imageId":"ami-0%s","instanceState":{"code":0,"name":"pending"},"privateDnsName":"ip-10-0-%d-%d.%s.compute.internal","amiLaunchIndex":0,"instanceType":"m7g.large","launchTime":%d000,"placement":{"availabilityZone":"%sa","tenancy":"default"},"monitoring":{"state":"disabled"},"subnetId":"subnet-0%s","vpcId":"vpc-0%s","privateIpAddress":"10.0.%d.%d","stateReason":{"code":"pending","message":"pending"},"architecture":"arm64","rootDeviceType":"ebs","rootDeviceName":"/dev/xvda","sourceDestCheck":true,"groupSet":{"items":[{"groupId":%q,"groupName":"web"}]},"virtualizationType":"hvm","hypervisor":"xen"}`,
			lowerHex(r, 16), lowerHex(r, 16), r.IntN(255), r.IntN(255), region, 1700000000+r.IntN(100000000), region,
			lowerHex(r, 16), lowerHex(r, 16), r.IntN(255), r.IntN(255), pick(r, a.groups)))
	}
	return fmt.Sprintf(`{"reservationId":"r-0%s","ownerId":%q,"groupSet":{},"instancesSet":{"items":[%s]}}`, lowerHex(r, 16), a.id, strings.Join(items, ","))
}

func ingress(cidr string) func(*rand.Rand, *account, string) string {
	return func(r *rand.Rand, a *account, _ string) string {
		port := pick(r, []int{22, 443, 3389, 5432})
		return fmt.Sprintf(`{"groupId":%q,"ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":%d,"toPort":%d,"groups":{},"ipRanges":{"items":[{"cidrIp":%q}]},"ipv6Ranges":{},"prefixListIds":{}}]}}`,
			pick(r, a.groups), port, port, cidr)
	}
}

func policyOf(target string) func(*rand.Rand, *account, string) string {
	return func(r *rand.Rand, a *account, _ string) string {
		return fmt.Sprintf(`{"policyArn":"arn:aws:iam::aws:policy/%s",%q:%q}`, pick(r, []string{"ReadOnlyAccess", "AmazonS3ReadOnlyAccess", "job-function/Billing"}),
			target, pick(r, a.users).name)
	}
}

func dynamo(r *rand.Rand, a *account, _ string) string {
	return fmt.Sprintf(`{"tableName":%q,"key":{"id":{"s":%q}},"consistentRead":false}`, pick(r, a.tables), uuid(r))
}

func stringly(format string, values func(r *rand.Rand, a *account, region string) []any) func(*rand.Rand, *account, string) string {
	return func(r *rand.Rand, a *account, region string) string {
		return fmt.Sprintf(format, values(r, a, region)...)
	}
}

func fixed(json string) func(*rand.Rand, *account, string) string {
	return func(*rand.Rand, *account, string) string { return json }
}

// apis is what people and programs call on an ordinary day.
var apis = []api{
	{source: "s3", name: "GetObject", read: true, data: true, weight: 30, request: object, resources: bucketResources},
	{source: "s3", name: "PutObject", data: true, weight: 14, request: object, resources: bucketResources,
		response: func(r *rand.Rand, _ *account, _ string) string {
			return fmt.Sprintf(`{"x-amz-server-side-encryption":"AES256","x-amz-version-id":%q}`, base64ish(r, 32))
		}},
	{source: "s3", name: "HeadObject", read: true, data: true, weight: 8, request: object, resources: bucketResources},
	{source: "s3", name: "DeleteObject", data: true, weight: 2, request: object, resources: bucketResources},
	{source: "s3", name: "ListObjects", read: true, data: true, weight: 5, request: bucket, resources: bucketResources},
	{source: "s3", name: "GetBucketAcl", read: true, weight: 4, request: bucket, resources: bucketResources},
	{source: "s3", name: "GetBucketPolicy", read: true, weight: 2, request: bucket, resources: bucketResources},
	{source: "s3", name: "PutBucketPolicy", weight: 0.02, control: "s3_policy_change", request: bucket, resources: bucketResources},
	{source: "s3", name: "PutBucketCors", weight: 0.02, control: "s3_policy_change", request: bucket, resources: bucketResources},
	{source: "dynamodb", name: "GetItem", read: true, data: true, weight: 12, request: dynamo},
	{source: "dynamodb", name: "UpdateItem", data: true, weight: 5, request: dynamo},
	{source: "lambda", name: "Invoke", data: true, weight: 6, request: stringly(`{"functionName":"arn:aws:lambda:%s:%s:function:%s","sourceAccount":%q}`,
		func(r *rand.Rand, a *account, region string) []any {
			return []any{region, a.id, pick(r, []string{"checkout", "mailer", "thumbnails"}), a.id}
		})},
	{source: "kms", name: "Decrypt", read: true, weight: 14, request: kmsKey, resources: kmsResources},
	{source: "kms", name: "GenerateDataKey", read: true, weight: 9, request: kmsKey, resources: kmsResources},
	{source: "ec2", name: "DescribeInstances", read: true, weight: 16, request: describeInstances},
	{source: "ec2", name: "DescribeSecurityGroups", read: true, weight: 6, request: fixed(`{"securityGroupSet":{},"securityGroupIdSet":{},"filterSet":{}}`)},
	{source: "ec2", name: "DescribeVolumes", read: true, weight: 4, request: fixed(`{"volumeSet":{},"filterSet":{}}`)},
	{source: "ec2", name: "RunInstances", weight: 0.6, request: runInstances, response: launched},
	{source: "ec2", name: "TerminateInstances", weight: 0.5, request: describeInstances},
	{source: "ec2", name: "CreateTags", weight: 1, request: stringly(`{"resourcesSet":{"items":[{"resourceId":"i-0%s"}]},"tagSet":{"items":[{"key":"Name","value":%q}]}}`,
		func(r *rand.Rand, _ *account, _ string) []any {
			return []any{lowerHex(r, 16), pick(r, []string{"web", "worker – übergang", "db"})}
		}), response: fixed(`{"_return":true}`)},
	{source: "ec2", name: "AuthorizeSecurityGroupIngress", weight: 0.03, control: "security_group_change", request: ingress("10.0.0.0/8"), response: fixed(`{"_return":true}`)},
	{source: "ec2", name: "RevokeSecurityGroupIngress", weight: 0.02, control: "security_group_change", request: ingress("10.0.0.0/8"), response: fixed(`{"_return":true}`)},
	{source: "ec2", name: "CreateRoute", weight: 0.01, control: "route_change", request: fixed(`{"routeTableId":"rtb-0a1","destinationCidrBlock":"10.9.0.0/16"}`), response: fixed(`{"_return":true}`)},
	{source: "iam", name: "GetUser", read: true, global: true, weight: 2, request: stringly(`{"userName":%q}`, func(r *rand.Rand, a *account, _ string) []any { return []any{pick(r, a.users).name} })},
	{source: "iam", name: "ListRoles", read: true, global: true, weight: 2, request: none},
	{source: "iam", name: "ListAccessKeys", read: true, global: true, weight: 1, request: none},
	{source: "iam", name: "AttachUserPolicy", global: true, weight: 0.02, control: "iam_policy_change", request: policyOf("userName")},
	{source: "iam", name: "DetachUserPolicy", global: true, weight: 0.01, control: "iam_policy_change", request: policyOf("userName")},
	{source: "sts", name: "GetCallerIdentity", read: true, weight: 5, response: nil},
	{source: "logs", name: "CreateLogStream", weight: 7, request: stringly(`{"logStreamName":%q,"logGroupName":"/aws/lambda/checkout"}`, func(r *rand.Rand, _ *account, _ string) []any { return []any{uuid(r)} })},
	{source: "logs", name: "DescribeLogGroups", read: true, weight: 3, request: none},
	{source: "cloudformation", name: "DescribeStacks", read: true, weight: 3, request: fixed(`{"stackName":"network"}`)},
	{source: "secretsmanager", name: "GetSecretValue", read: true, weight: 2, request: stringly(`{"secretId":"arn:aws:secretsmanager:%s:%s:secret:db-%s"}`,
		func(r *rand.Rand, a *account, region string) []any { return []any{region, a.id, lowerAlnum(r, 6)} })},
	{source: "ssm", name: "GetParameter", read: true, weight: 3, request: fixed(`{"name":"/app/config","withDecryption":true}`)},
	{source: "monitoring", name: "PutMetricAlarm", weight: 0.3, request: fixed(`{"alarmName":"cpu","threshold":80.0,"period":300,"evaluationPeriods":1.50}`)},
	{source: "ecr", name: "DescribeImageScanFindings", read: true, weight: 0.05, request: fixed(`{"repositoryName":"checkout"}`), response: scanFindings},
}

// scanFindings is the occasional record of tens of kilobytes.
func scanFindings(r *rand.Rand, _ *account, _ string) string {
	var b strings.Builder
	b.WriteString(`{"findings":[`)
	for i := range 20 + r.IntN(150) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"CVE-20%02d-%05d","description":"%s","uri":"https://example.com/cve/%s","severity":%q,"attributes":[{"key":"package_version","value":"%d.%d.%d"},{"key":"CVSS2_SCORE","value":"%d.%d"}]}`,
			15+r.IntN(11), r.IntN(100000), strings.Repeat("buffer handling in a parser ", 1+r.IntN(6)), lowerHex(r, 12),
			pick(r, []string{"LOW", "MEDIUM", "HIGH", "CRITICAL"}), r.IntN(9), r.IntN(20), r.IntN(90), r.IntN(10), r.IntN(10))
	}
	b.WriteString(`]}`)
	return b.String()
}

// apiPicker draws templates by weight.
type apiPicker struct {
	list []*api
	up   []float64
}

func newPicker(keep func(*api) bool) apiPicker {
	var p apiPicker
	sum := 0.0
	for i := range apis {
		if keep(&apis[i]) {
			sum += apis[i].weight
			p.list, p.up = append(p.list, &apis[i]), append(p.up, sum)
		}
	}
	return p
}

func (p apiPicker) pick(r *rand.Rand) *api {
	x := r.Float64() * p.up[len(p.up)-1]
	for i, up := range p.up {
		if x < up {
			return p.list[i]
		}
	}
	return p.list[len(p.list)-1]
}

var (
	anyAPI  = newPicker(func(*api) bool { return true })
	progAPI = newPicker(func(a *api) bool { return a.control == "" && a.source != "iam" })
)
