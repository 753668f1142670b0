package synth

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// chore makes one record of those that a trail of any size has exactly once: the changes that administrators make, each call
// of the CIS controls among them, and calls that come near to a control and are none. Trails and the root user are left
// alone on ordinary days: who changes them has an incident, or mends one.
type chore func(d *day, who identity, at time.Time) record

// chores are dealt to the account-days of a trail in turn.
var chores = slices.Concat(
	of("iam_policy_change", calls("iam", policyOf("roleName"), "DeleteGroupPolicy", "DeleteRolePolicy", "DeleteUserPolicy",
		"PutGroupPolicy", "PutRolePolicy", "PutUserPolicy", "CreatePolicy", "DeletePolicy", "CreatePolicyVersion",
		"DeletePolicyVersion", "AttachRolePolicy", "DetachRolePolicy", "AttachUserPolicy", "DetachUserPolicy", "AttachGroupPolicy",
		"DetachGroupPolicy")),
	// The control names no service.
	of("iam_policy_change", calls("iot", fixed(`{"policyName":"sensors"}`), "CreatePolicy", "DeletePolicy")),
	calls("iam", fixed(`{"roleName":"app-server","policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}`), "CreateRole",
		"UpdateAssumeRolePolicy", "SetDefaultPolicyVersion", "PutRolePermissionsBoundary"),

	calls("cloudtrail", fixed(`{"trailName":"organisation-trail"}`), "PutEventSelectors", "PutInsightSelectors",
		"CreateEventDataStore"),

	of("kms_key_disabled", calls("kms", kmsKey, "DisableKey", "ScheduleKeyDeletion")),
	calls("kms", kmsKey, "DisableKeyRotation", "CancelKeyDeletion", "EnableKey"),

	of("s3_policy_change", calls("s3", bucket, "PutBucketAcl", "PutBucketPolicy", "PutBucketCors", "PutBucketLifecycle",
		"PutBucketReplication", "DeleteBucketPolicy", "DeleteBucketCors", "DeleteBucketLifecycle", "DeleteBucketReplication")),
	calls("s3", bucket, "PutBucketVersioning", "PutBucketPublicAccessBlock", "PutBucketLogging"),
	calls("s3-outposts", bucket, "PutBucketPolicy"),

	of("config_change", calls("config", fixed(`{"configurationRecorderName":"default"}`), "StopConfigurationRecorder",
		"PutConfigurationRecorder")),
	of("config_change", calls("config", fixed(`{"deliveryChannelName":"default"}`), "DeleteDeliveryChannel", "PutDeliveryChannel")),
	calls("config", fixed(`{"configurationRecorderName":"default"}`), "StartConfigurationRecorder", "DeleteConfigurationRecorder"),

	of("security_group_change", calls("ec2", ingress("10.0.0.0/8"), "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress",
		"RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")),
	of("security_group_change", calls("ec2", fixed(`{"groupName":"web","groupDescription":"web","vpcId":"vpc-02"}`),
		"CreateSecurityGroup", "DeleteSecurityGroup")),
	of("security_group_rules_modified", calls("ec2",
		fixed(`{"ModifySecurityGroupRulesRequest":{"GroupId":"sg-02","SecurityGroupRule":{"SecurityGroupRuleId":"sgr-02","SecurityGroupRule":{"CidrIpv4":"10.0.0.0/8","FromPort":443,"ToPort":443,"IpProtocol":"tcp"},"tag":1}}}`),
		"ModifySecurityGroupRules")),
	calls("ec2", fixed(`{"groupId":"sg-02"}`), "UpdateSecurityGroupRuleDescriptionsIngress"),

	of("network_acl_change", calls("ec2",
		fixed(`{"networkAclId":"acl-02","ruleNumber":100,"egress":false,"ruleAction":"allow","cidrBlock":"10.0.0.0/8"}`),
		"CreateNetworkAcl", "CreateNetworkAclEntry", "DeleteNetworkAcl", "DeleteNetworkAclEntry", "ReplaceNetworkAclEntry",
		"ReplaceNetworkAclAssociation")),

	of("gateway_change", calls("ec2", fixed(`{"customerGatewayId":"cgw-02"}`), "CreateCustomerGateway", "DeleteCustomerGateway")),
	of("gateway_change", calls("ec2", fixed(`{"internetGatewayId":"igw-02","vpcId":"vpc-02"}`), "AttachInternetGateway",
		"CreateInternetGateway", "DeleteInternetGateway", "DetachInternetGateway")),
	calls("ec2", fixed(`{"subnetId":"subnet-02"}`), "CreateNatGateway", "AttachVpnGateway", "CreateEgressOnlyInternetGateway"),

	of("route_change", calls("ec2", fixed(`{"routeTableId":"rtb-02","destinationCidrBlock":"10.9.0.0/16"}`), "CreateRoute",
		"CreateRouteTable", "ReplaceRoute", "ReplaceRouteTableAssociation", "DeleteRouteTable", "DeleteRoute",
		"DisassociateRouteTable")),
	// The control names no service.
	of("route_change", calls("apigateway", fixed(`{"apiId":"a1","routeKey":"GET /orders"}`), "CreateRoute", "DeleteRoute")),
	calls("ec2", fixed(`{"routeTableId":"rtb-02","subnetId":"subnet-02"}`), "AssociateRouteTable", "CreateTransitGatewayRoute"),

	of("vpc_change", calls("ec2", fixed(`{"vpcId":"vpc-02"}`), "CreateVpc", "DeleteVpc", "ModifyVpcAttribute", "AttachClassicLinkVpc",
		"DetachClassicLinkVpc", "DisableVpcClassicLink", "EnableVpcClassicLink")),
	of("vpc_change", calls("ec2", fixed(`{"vpcPeeringConnectionId":"pcx-02"}`), "AcceptVpcPeeringConnection",
		"CreateVpcPeeringConnection", "DeleteVpcPeeringConnection", "RejectVpcPeeringConnection")),
	calls("ec2", fixed(`{"vpcId":"vpc-02"}`), "CreateVpcEndpoint", "ModifyVpcPeeringConnectionOptions",
		"DisableVpcClassicLinkDnsSupport"),

	of("organizations_change", calls("organizations", fixed(`{"targetId":"ou-02","policyId":"p-02"}`), "AcceptHandshake",
		"AttachPolicy", "CreateAccount", "CreateOrganizationalUnit", "DeclineHandshake", "DeleteOrganization",
		"DeleteOrganizationalUnit", "DetachPolicy", "DisablePolicyType", "EnablePolicyType", "InviteAccountToOrganization",
		"LeaveOrganization", "MoveAccount", "RemoveAccountFromOrganization", "UpdatePolicy", "UpdateOrganizationalUnit")),
	of("iam_policy_change", of("organizations_change", calls("organizations", fixed(`{"policyId":"p-02"}`), "CreatePolicy",
		"DeletePolicy"))),
	calls("organizations", fixed(`{"accountId":"000000000002"}`), "CloseAccount", "CreateOrganization", "TagResource"),

	of("unauthorized", failures("AccessDenied", "Client.UnauthorizedOperation", "UnauthorizedOperation", "AccessDeniedException",
		"AccessDenied.Policy")),
	failures("AuthFailure", "UnauthorizedException", "Client.UnauthorizedOperation.Retry", "KMS.AccessDenied", "accessdenied"),
	[]chore{headBucket, logDelivery},
	[]chore{signInWithoutWord, signInRefused, signInOfNobody, signInFederated, signInForService},
	[]chore{rootByService, rootServiceEvent},
)

// calls are calls of one service with one form of request.
func calls(source string, request func(*rand.Rand, *account, string) string, names ...string) []chore {
	var list []chore
	for _, name := range names {
		call := api{source: source, name: name, request: request, global: source == "iam" || source == "organizations"}
		list = append(list, func(d *day, who identity, at time.Time) record {
			return newRecord(d.r, d.a, who, &call, at, d.w.region(d.r))
		})
	}
	return list
}

// failures are calls that end with these error codes.
func failures(codes ...string) []chore {
	var list []chore
	for _, code := range codes {
		list = append(list, func(d *day, who identity, at time.Time) record {
			e := newRecord(d.r, d.a, who, &api{source: "sqs", name: "ListQueues", read: true, request: none}, at, d.w.region(d.r))
			e.errorCode, e.errorMessage = code, "the call failed"
			return e
		})
	}
	return list
}

// of says which control's events these are.
func of(control string, list []chore) []chore {
	var marked []chore
	for _, c := range list {
		marked = append(marked, func(d *day, who identity, at time.Time) record {
			e := c(d, who, at)
			e.controls = append(e.controls, control)
			return e
		})
	}
	return marked
}

// headBucket is how programs ask whether a bucket is there; the refusal is an answer, and the control leaves it out.
func headBucket(d *day, who identity, at time.Time) record {
	e := newRecord(d.r, d.a, who, &api{source: "s3", name: "HeadBucket", read: true, request: bucket, resources: bucketResources}, at, d.w.region(d.r))
	e.errorCode, e.errorMessage = "AccessDenied", "Access Denied"
	return e
}

// logDelivery is AWS's delivery of logs to a bucket that does not let it; the control leaves it out.
func logDelivery(d *day, _ identity, at time.Time) record {
	put := &api{source: "s3", name: "PutObject", data: true, request: object, resources: bucketResources}
	e := newRecord(d.r, d.a, service("delivery.logs.amazonaws.com"), put, at, d.w.region(d.r))
	e.errorCode, e.errorMessage = "AccessDenied", "Access Denied"
	return e
}

// signInWithoutWord says nothing of MFA: nobody can tell that it was used.
func signInWithoutWord(d *day, _ identity, at time.Time) record {
	e := d.signIn(d.a.users[0], at, false, true)
	e.additional = `{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No"}`
	return e
}

// signInRefused fails before MFA is asked for, so that its MFAUsed is No.
func signInRefused(d *day, _ identity, at time.Time) record {
	return d.signIn(d.a.users[1], at, false, false)
}

// signInOfNobody fails because there is no such user: another message than that of a wrong password.
func signInOfNobody(d *day, _ identity, at time.Time) record {
	e := d.signIn(d.a.users[2], at, false, false)
	e.errorMessage, e.controls = "No username found in supplied account", nil
	return e
}

// signInFederated has its second factor at the identity provider.
func signInFederated(d *day, who identity, at time.Time) record {
	e := d.signIn(d.a.users[3], at, false, true)
	e.who, e.controls = who, nil
	return e
}

// signInForService is no sign-in, but its name begins as one.
func signInForService(d *day, _ identity, at time.Time) record {
	e := d.signIn(d.a.users[4], at, false, true)
	e.name, e.controls = "ConsoleLoginRedirect", nil
	return e
}

// rootByService is what a service does with the rights of the root user.
func rootByService(d *day, _ identity, at time.Time) record {
	e := newRecord(d.r, d.a, service("support.amazonaws.com"), &api{source: "iam", name: "GetAccountSummary", read: true, global: true}, at, "us-east-1")
	e.who.json = strings.TrimSuffix(d.a.root().json, "}") + `,"invokedBy":"support.amazonaws.com"}`
	return e
}

// rootServiceEvent is what a service reports of the root user's account.
func rootServiceEvent(d *day, _ identity, at time.Time) record {
	e := newRecord(d.r, d.a, d.a.root(), &api{source: "health", name: "PasswordRecoveryCompleted"}, at, "us-east-1")
	e.eventType = "AwsServiceEvent"
	return e
}

// deal adds the chores of one of the trail's account-days.
func (d *day) deal(index, days int) {
	for i := index % len(chores); i < len(chores); i += days {
		at := d.start.Add(7*time.Hour + time.Duration(d.r.IntN(11*3600))*time.Second)
		admin := d.a.session(d.a.roles[0], pick(d.r, userNames)+"@example.com", "ASIA"+upperAlnum(d.r, 16), d.a.office, at.Add(-time.Minute), true)
		d.add(chores[i](d, admin, at))
	}
}
