package synth

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// identity is a userIdentity block, rendered.
type identity struct {
	json      string
	kind      string // type
	agent, ip string
	invokedBy string
	accessKey string
}

// record is one event before it is text.
type record struct {
	at                      time.Time
	region                  string
	recipient               string
	id                      string
	who                     identity
	source, name            string
	agent, ip               string
	errorCode, errorMessage string
	request, response       string // JSON; "" is null
	additional, resources   string // JSON; "" is absent
	eventType               string
	category                string
	readOnly, management    bool
	console                 bool
	tls                     bool
	version                 string
	requestID               string
	sharedID, vpce          string
	controls                []string // what the truth file says of it
	raw                     string   // a record of another shape, whole
	kind                    string   // folder; "" is CloudTrail
}

func str(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			_, n := utf8.DecodeRuneInString(s[i:])
			dst = append(dst, s[i:i+n]...)
			i += n
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}

func quote(s string) string { return string(str(nil, s)) }

func member(dst []byte, key, value string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	return str(dst, value)
}

func rawMember(dst []byte, key, json string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	if json == "" {
		json = "null"
	}
	return append(dst, json...)
}

// text renders a record the way CloudTrail orders it.
func (e *record) text(dst []byte) []byte {
	if e.raw != "" {
		return append(dst, e.raw...)
	}
	dst = append(dst, `{"eventVersion":`...)
	dst = str(dst, e.version)
	dst = rawMember(dst, "userIdentity", e.who.json)
	dst = member(dst, "eventTime", e.at.UTC().Format("2006-01-02T15:04:05Z"))
	dst = member(dst, "eventSource", e.source)
	dst = member(dst, "eventName", e.name)
	dst = member(dst, "awsRegion", e.region)
	dst = member(dst, "sourceIPAddress", e.ip)
	dst = member(dst, "userAgent", e.agent)
	if e.errorCode != "" {
		dst = member(dst, "errorCode", e.errorCode)
	}
	if e.errorMessage != "" {
		dst = member(dst, "errorMessage", e.errorMessage)
	}
	dst = rawMember(dst, "requestParameters", e.request)
	dst = rawMember(dst, "responseElements", e.response)
	if e.additional != "" {
		dst = rawMember(dst, "additionalEventData", e.additional)
	}
	if e.requestID != "" {
		dst = member(dst, "requestID", e.requestID)
	}
	dst = member(dst, "eventID", e.id)
	if e.old() {
		dst = member(dst, "eventType", e.eventType)
		dst = member(dst, "recipientAccountId", e.recipient)
		return append(dst, '}')
	}
	dst = rawMember(dst, "readOnly", strconv.FormatBool(e.readOnly))
	if e.resources != "" {
		dst = rawMember(dst, "resources", e.resources)
	}
	dst = member(dst, "eventType", e.eventType)
	dst = rawMember(dst, "managementEvent", strconv.FormatBool(e.management))
	dst = member(dst, "recipientAccountId", e.recipient)
	if e.sharedID != "" {
		dst = member(dst, "sharedEventID", e.sharedID)
	}
	if e.vpce != "" {
		dst = member(dst, "vpcEndpointId", e.vpce)
	}
	dst = member(dst, "eventCategory", e.category)
	if e.tls {
		dst = rawMember(dst, "tlsDetails", `{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":`+
			quote(hostOf(e.source, e.region))+`}`)
	}
	if e.console {
		dst = member(dst, "sessionCredentialFromConsole", "true")
	}
	return append(dst, '}')
}

func (e *record) old() bool { return e.version == "1.02" }

func hostOf(source, region string) string {
	service, _, _ := strings.Cut(source, ".")
	return service + "." + region + ".amazonaws.com"
}

func (a *account) user(p principal) identity {
	return identity{kind: "IAMUser", agent: p.agent, ip: p.ip, accessKey: p.accessKey,
		json: fmt.Sprintf(`{"type":"IAMUser","principalId":%q,"arn":"arn:aws:iam::%s:user/%s","accountId":%q,"accessKeyId":%q,"userName":%q}`,
			p.id, a.id, p.name, a.id, p.accessKey, p.name)}
}

// session is a role of the account assumed under a session name, with a temporary key.
func (a *account) session(ro role, name, accessKey, ip string, since time.Time, mfa bool) identity {
	return identity{kind: "AssumedRole", agent: ro.agent, ip: ip, accessKey: accessKey,
		json: fmt.Sprintf(`{"type":"AssumedRole","principalId":"%s:%s","arn":"arn:aws:sts::%s:assumed-role/%s/%s","accountId":%q,"accessKeyId":%q,`+
			`"sessionContext":{"sessionIssuer":{"type":"Role","principalId":%q,"arn":"arn:aws:iam::%s:role/%s","accountId":%q,"userName":%q},`+
			`"webIdFederationData":{},"attributes":{"creationDate":%q,"mfaAuthenticated":"%v"}}}`,
			ro.id, name, a.id, ro.name, name, a.id, accessKey, ro.id, a.id, ro.name, a.id, ro.name,
			since.UTC().Format("2006-01-02T15:04:05Z"), mfa)}
}

func (a *account) root() identity {
	return identity{kind: "Root", agent: agents[4], ip: a.office,
		json: fmt.Sprintf(`{"type":"Root","principalId":%q,"arn":"arn:aws:iam::%s:root","accountId":%q,"accessKeyId":""}`, a.id, a.id, a.id)}
}

func service(name string) identity {
	return identity{kind: "AWSService", agent: name, ip: name, invokedBy: name, json: `{"type":"AWSService","invokedBy":` + quote(name) + `}`}
}

// newRecord fills what every record has; the API template and the caller add the rest.
func newRecord(r *rand.Rand, a *account, who identity, api *api, at time.Time, region string) record {
	e := record{at: at, region: region, recipient: a.id, id: uuid(r), who: who, source: api.source + ".amazonaws.com", name: api.name,
		agent: who.agent, ip: who.ip, eventType: "AwsApiCall", category: "Management", management: true, readOnly: api.read,
		tls: who.invokedBy == "", version: pick(r, versions)}
	if api.control != "" {
		e.controls = append(e.controls, api.control)
	}
	if api.data {
		e.category, e.management = "Data", false
	}
	if api.global {
		e.region = "us-east-1"
	}
	if api.source == "s3" {
		e.requestID = letters(r, 16, "0123456789ABCDEF")
		e.additional = fmt.Sprintf(`{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":%d,"AuthenticationMethod":"AuthHeader","x-amz-id-2":%q,"bytesTransferredOut":%d}`,
			0, base64ish(r, 75)+"=", r.IntN(1<<uint(8+r.IntN(14))))
	} else {
		e.requestID = uuid(r)
	}
	if api.request != nil {
		e.request = api.request(r, a, e.region)
	}
	if api.response != nil {
		e.response = api.response(r, a, e.region)
	}
	if api.resources != nil {
		e.resources = api.resources(a, e.request)
	}
	return e
}

var versions = []string{"1.08", "1.09", "1.09", "1.10", "1.11", "1.11"}

// deny turns a record into a refused call.
func (e *record) deny(a *account) {
	e.response = ""
	e.errorCode = "AccessDenied"
	if e.source == "ec2.amazonaws.com" {
		e.errorCode = "Client.UnauthorizedOperation"
	}
	e.errorMessage = "User is not authorized to perform: " + e.source[:len(e.source)-len(".amazonaws.com")] + ":" + e.name + " because no identity-based policy allows the action"
	e.controls = append(e.controls, "unauthorized")
}
