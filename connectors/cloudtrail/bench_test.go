package cloudtrail

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// generated returns a log file of n events such as a trail delivers: some callers and services, fresh ids, request blocks.
func generated(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	id := func() string {
		return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", rng.Uint32(), rng.Uint32()>>16, rng.Uint32()>>16, rng.Uint32()>>16, rng.Uint64()>>16)
	}
	var b bytes.Buffer
	b.WriteString(`{"Records":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		account := pick("111122223333", "444455556666")
		region := pick("us-east-1", "eu-central-1", "us-west-2")
		user := fmt.Sprintf("user-%d", rng.IntN(40))
		stamp := fmt.Sprintf("2024-03-%02dT%02d:%02d:%02dZ", 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60))
		switch rng.IntN(4) {
		case 0: // a service's call
			fmt.Fprintf(&b, `{"eventVersion":"1.08","userIdentity":{"type":"AWSService","invokedBy":"%[1]s"},"eventTime":"%[2]s",`+
				`"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","awsRegion":"%[3]s","sourceIPAddress":"%[1]s","userAgent":"%[1]s",`+
				`"requestParameters":{"roleArn":"arn:aws:iam::%[4]s:role/%[5]s","roleSessionName":"%[6]s"},"responseElements":{"credentials":`+
				`{"accessKeyId":"ASIA%016[7]X","sessionToken":"%064[8]x%064[9]x","expiration":"Mar 4, 2024, 2:18:21 PM"}},"requestID":"%[10]s",`+
				`"eventID":"%[11]s","readOnly":true,"resources":[{"accountId":"%[4]s","type":"AWS::IAM::Role","ARN":"arn:aws:iam::%[4]s:role/%[5]s"}],`+
				`"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"%[4]s","sharedEventID":"%[12]s","eventCategory":"Management"}`,
				pick("config.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com"), stamp, region, account, pick("Config", "App", "Deploy"),
				id(), rng.Uint64(), rng.Uint64(), rng.Uint64(), id(), id(), id())
		case 1: // an object in a bucket
			fmt.Fprintf(&b, `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:%[1]s","arn":"arn:aws:sts::%[2]s:assumed-role/App/%[1]s",`+
				`"accountId":"%[2]s","accessKeyId":"ASIAEXAMPLE%[3]d","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE",`+
				`"arn":"arn:aws:iam::%[2]s:role/App","accountId":"%[2]s","userName":"App"},"webIdFederationData":{},"attributes":{"creationDate":"%[4]s","mfaAuthenticated":"false"}}},`+
				`"eventTime":"%[4]s","eventSource":"s3.amazonaws.com","eventName":"%[5]s","awsRegion":"%[6]s","sourceIPAddress":"10.0.%[3]d.7",`+
				`"userAgent":"[aws-sdk-go-v2/1.25.0 os/linux lang/go#1.22 md/GOOS#linux md/GOARCH#amd64 api/s3#1.48.1]","requestParameters":{"bucketName":"logs-%[3]d",`+
				`"Host":"logs-%[3]d.s3.amazonaws.com","key":"part/%[7]s.json"},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256",`+
				`"bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"%[8]s=","bytesTransferredOut":%[9]d},"requestID":"%016[9]X","eventID":"%[8]s","readOnly":true,`+
				`"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::logs-%[3]d/part/%[7]s.json"},{"accountId":"%[2]s","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::logs-%[3]d"}],`+
				`"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"%[2]s","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.2",`+
				`"cipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","clientProvidedHostHeader":"logs-%[3]d.s3.amazonaws.com"}}`,
				user, account, rng.IntN(20), stamp, pick("GetObject", "HeadObject", "PutObject"), region, id(), id(), rng.Uint64()>>20)
		default: // a person's call, some refused
			fmt.Fprintf(&b, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE%[1]s","arn":"arn:aws:iam::%[2]s:user/%[1]s","accountId":"%[2]s",`+
				`"accessKeyId":"AKIAEXAMPLE%[1]s","userName":"%[1]s"},"eventTime":"%[3]s","eventSource":"ec2.amazonaws.com","eventName":"%[4]s","awsRegion":"%[5]s",`+
				`"sourceIPAddress":"198.51.100.%[6]d","userAgent":"aws-cli/2.15.0 Python/3.11.6 Linux/5.10 exe/x86_64.ubuntu.22","errorCode":"Client.UnauthorizedOperation",`+
				`"errorMessage":"You are not authorized to perform this operation.","requestParameters":{"maxResults":1000,"filterSet":{"items":[{"name":"tag:Name",`+
				`"valueSet":{"items":[{"value":"web-%[6]d"},{"value":"db \"main\""}]}}]}},"responseElements":null,"requestID":"%[7]s","eventID":"%[8]s","readOnly":true,`+
				`"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"%[2]s","eventCategory":"Management","sessionCredentialFromConsole":"true"}`,
				user, account, stamp, pick("DescribeInstances", "DescribeVpcs", "RunInstances"), region, rng.IntN(60), id(), id())
		}
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func packed(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// BenchmarkDecode measures all from the stored bytes to the flushed batches; records/s is the number to watch.
func BenchmarkDecode(b *testing.B) {
	const n = 5000
	content := generated(1, n)
	stored := packed(b, content)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	var rows Rows
	for b.Loop() {
		if obj, err := Decode(context.Background(), opener(stored), "", "", Limits{}, &rows, nil); err != nil || obj.Records != n {
			b.Fatal(obj, err)
		}
		if rows.Bytes() > 64<<20 {
			rows.Flush()
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkEventJSON(b *testing.B) {
	const n = 5000
	var rows Rows
	if _, err := Decode(context.Background(), opener(generated(1, n)), "", "", Limits{}, &rows, nil); err != nil {
		b.Fatal(err)
	}
	batch := rows.Flush()[Logs]
	cols := make([]int, len(batch.Cols))
	for i := range cols {
		cols[i] = i
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := EventJSON(Logs, cols, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
}
