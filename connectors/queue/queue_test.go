package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/queue/sqsserver"
)

func inSNS(message string) string {
	text, _ := json.Marshal(message)
	return `{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:us-east-1:1:t","Message":` + string(text) + `,"Timestamp":"2026-01-01T00:00:00Z","Signature":"x"}`
}

const (
	ofTrail  = `{"s3Bucket":"b","s3ObjectKey":["AWSLogs/a b+c.json.gz","AWSLogs/2%20.json.gz"]}`
	ofS3     = `{"Records":[{"eventVersion":"2.6","eventSource":"aws:s3","eventName":"ObjectCreated:CompleteMultipartUpload","s3":{"s3SchemaVersion":"1.0","bucket":{"name":"b","arn":"x"},"object":{"key":"AWSLogs/a+b%2Bc.json.gz","size":1,"versionId":"v1","sequencer":"0"}}}]}`
	ofBridge = `{"version":"0","detail-type":"Object Created","source":"aws.s3","resources":["x"],"detail":{"version":"0","bucket":{"name":"b"},"object":{"key":"AWSLogs/a b+c.json.gz","size":1,"version-id":"v1"},"reason":"PutObject"}}`
)

func TestParse(t *testing.T) {
	key := "AWSLogs/a b+c.json.gz"
	two := []compact.Hint{{Bucket: "b", Key: key}, {Bucket: "b", Key: "AWSLogs/2%20.json.gz"}}
	one := []compact.Hint{{Bucket: "b", Key: key, Version: "v1"}}
	for _, c := range []struct {
		why, body string
		want      []compact.Hint
		bad       bool
	}{
		{why: "CloudTrail, SNS", body: inSNS(ofTrail), want: two},
		{why: "S3, SNS", body: inSNS(ofS3), want: one},
		{why: "S3", body: ofS3, want: one},
		{why: "CloudTrail, raw delivery", body: ofTrail, want: two},
		{why: "S3, EventBridge", body: ofBridge, want: one},
		{why: "S3, EventBridge, SNS", body: inSNS(ofBridge), want: one},
		{why: "validation", body: inSNS("CloudTrail validation message.")},
		{why: "validation, raw", body: "CloudTrail validation message.\n"},
		{why: "test", body: `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-01T00:00:00.000Z","Bucket":"b"}`},
		{why: "test, SNS", body: inSNS(`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`)},
		{why: "removed", body: strings.Replace(ofS3, "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete", 1)},
		{why: "removed, EventBridge", body: strings.Replace(ofBridge, "Object Created", "Object Deleted", 1)},
		{why: "with the name's prefix", body: strings.Replace(ofS3, "ObjectCreated", "s3:ObjectCreated", 1), want: one},

		{why: "nothing", body: "", bad: true},
		{why: "text", body: "hello", bad: true},
		{why: "other JSON", body: `{"a":1}`, bad: true},
		{why: "an array", body: `[]`, bad: true},
		{why: "no records", body: `{"Records":[]}`, bad: true},
		{why: "records of something else", body: `{"Records":[{"eventSource":"aws:sqs","body":"x"}]}`, bad: true},
		{why: "bad key", body: strings.Replace(ofS3, "a+b%2Bc", "%zz", 1), bad: true},
		{why: "no key", body: `{"s3Bucket":"b","s3ObjectKey":[""]}`, bad: true},
		{why: "confirmation", body: `{"Type":"SubscriptionConfirmation","Message":"You have chosen to subscribe","SubscribeURL":"https://x"}`, bad: true},
		{why: "event of another source", body: strings.Replace(ofBridge, "aws.s3", "my.app", 1), bad: true},
		{why: "SNS in SNS", body: inSNS(inSNS(ofS3)), bad: true},
	} {
		got, err := parse(c.body)
		if (err != nil) != c.bad || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.why, got, err)
		}
	}
}

// FuzzParse: strangers' messages do not panic, and what they name has a bucket and a key.
func FuzzParse(f *testing.F) {
	for _, s := range []string{inSNS(ofTrail), ofS3, ofBridge, inSNS(validation), `{"Records":[{}]}`, `{"Message":"{\"Records\":null}"}`, "[", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		hints, err := parse(body)
		if err != nil && hints != nil {
			t.Fatal(hints, err)
		}
		for _, h := range hints {
			if h.Bucket == "" || h.Key == "" {
				t.Fatalf("%+v", h)
			}
		}
		if len(hints) > len(body) {
			t.Fatalf("%d hints", len(hints))
		}
	})
}

func credential(t testing.TB) {
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
}

func open(t testing.TB, address string, opt Options) *Queue {
	t.Helper()
	q, err := Open(t.Context(), address, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

func next(t testing.TB, q *Queue) []compact.Hint {
	t.Helper()
	hints, err := q.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return hints
}

// A message is there until all its objects are done; what is not done comes back, and what nobody understands stays, said once.
func TestQueue(t *testing.T) {
	credential(t)
	s := sqsserver.Start(t)
	var said []string
	q := open(t, s.URL, Options{Sources: []string{"s3://b/AWSLogs"}, Report: func(text string) { said = append(said, text) }})
	other := strings.Replace(ofS3, `"name":"b"`, `"name":"elsewhere"`, 1)
	for _, m := range []string{inSNS(ofTrail), ofS3, "poison", inSNS(validation), other, other} {
		s.Send(m)
	}
	hints := next(t, q)
	if len(hints) != 5 || len(s.Left()) != 5 {
		t.Fatalf("%+v; %q left", hints, s.Left())
	}
	if len(said) != 2 || !strings.Contains(said[0], "left in the queue") || !strings.Contains(said[1], "s3://elsewhere/AWSLogs/a b+c.json.gz is in none of the sources") {
		t.Errorf("%q", said)
	}
	if h := next(t, q); len(h) > 0 {
		t.Errorf("%+v while they are held", h)
	}
	if err := q.Done(t.Context(), hints[:1]); err != nil || len(s.Left()) != 5 {
		t.Errorf("%v, %q: half of a message is done", err, s.Left())
	}
	if err := q.Done(t.Context(), hints[2:]); err != nil { // the second object of the first message could not be read
		t.Fatal(err)
	}
	if want := []string{inSNS(ofTrail), "poison"}; !slices.Equal(s.Left(), want) {
		t.Errorf("%q left", s.Left())
	}
	s.Advance(time.Hour)
	if again := next(t, q); len(again) != 2 || again[0].Key != hints[0].Key || len(said) != 2 {
		t.Errorf("again: %+v; %q", again, said)
	} else if err := q.Done(t.Context(), again); err != nil || !slices.Equal(s.Left(), []string{"poison"}) {
		t.Errorf("%v, %q left", err, s.Left())
	}
}

// While the work goes on messages are held for longer, but not for ever.
func TestHold(t *testing.T) {
	credential(t)
	s := sqsserver.Start(t)
	now := time.Unix(0, 0)
	q := open(t, s.URL, Options{Now: func() time.Time { return now }})
	advance := func(d time.Duration) { now = now.Add(d); s.Advance(d) }
	for range 25 {
		s.Send(ofS3)
	}
	for range 3 {
		next(t, q)
	}
	for range 20 {
		advance(4 * time.Minute)
		if err := q.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if h := next(t, q); len(h) > 0 {
		t.Errorf("%d came back", len(h))
	}
	advance(time.Hour) // over the two hours: nobody seems to work on them any more
	if err := q.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h := next(t, q); len(h) != 10 || len(q.held) != 10 {
		t.Errorf("%d came back, %d are held", len(h), len(q.held))
	}
}

// What fails for some messages, or for a while, is tried again.
func TestFaults(t *testing.T) {
	credential(t)
	s := sqsserver.Start(t)
	q := open(t, s.URL, Options{})
	for range 4 {
		s.Send(ofS3)
	}
	faults := map[string]int{"ReceiveMessage 0": 1, "DeleteMessageBatch 0": 1, "DeleteMessageBatch 2": 2}
	s.Fail(func(action string, id int) string {
		if key := fmt.Sprint(action, " ", id); faults[key] > 0 {
			faults[key]--
			return "ThrottlingException"
		}
		return ""
	})
	hints := next(t, q)
	if err := q.Done(t.Context(), hints); err != nil || len(s.Left()) > 0 {
		t.Errorf("%v, %q left", err, s.Left())
	}
	s.Send(ofS3)
	hints = next(t, q)
	s.Advance(time.Hour)
	other := open(t, s.URL, Options{})
	if err := other.Done(t.Context(), next(t, other)); err != nil || len(s.Left()) > 0 {
		t.Errorf("%v, %q left", err, s.Left())
	}
	if err := q.Done(t.Context(), hints); err != nil {
		t.Errorf("a message that another has done: %v", err)
	}
	s.Fail(func(string, int) string { return "AWS.SimpleQueueService.NonExistentQueue" })
	if _, err := q.Next(t.Context()); err == nil || !strings.Contains(err.Error(), s.URL) {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.Context(), s.URL, Options{}); err == nil {
		t.Error("a queue that is not there was opened")
	}
	if _, err := Open(t.Context(), "trail", Options{}); err == nil {
		t.Error("a name that is no URL was taken")
	}
}

// TestServer is run by "make queue" against a queue service of another maker, which judges both the client and the service of the other tests.
func TestServer(t *testing.T) {
	endpoint := os.Getenv("TRAILQL_TEST_SQS")
	if endpoint == "" {
		t.Skip(`run by "make queue", which starts the service that this needs`)
	}
	credential(t)
	client := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
	ctx := context.Background()
	created, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("trail")})
	if err != nil {
		t.Fatal(err)
	}
	send := func(body string) {
		if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: created.QueueUrl, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []string{inSNS(ofTrail), inSNS(ofS3), ofS3, ofTrail, ofBridge, inSNS(validation), "poison"} {
		send(m)
	}
	q := open(t, *created.QueueUrl, Options{Visibility: 2 * time.Second, Wait: time.Second})
	var hints []compact.Hint
	for len(hints) < 7 {
		hints = append(hints, next(t, q)...)
	}
	if err := q.Done(ctx, hints[:3]); err != nil { // two messages; the poison comes back in between
		t.Fatal(err)
	}
	if err := q.renew(ctx); err != nil {
		t.Error(err)
	}
	if err := q.Done(ctx, hints[3:]); err != nil {
		t.Fatal(err)
	}
	if err := q.delete(ctx, []*message{hints[0].Message.(*message)}); err != nil {
		t.Errorf("deleted twice: %v", err)
	}
	left, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: created.QueueUrl, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	if n := left.Attributes["ApproximateNumberOfMessages"] + left.Attributes["ApproximateNumberOfMessagesNotVisible"]; n != "10" && n != "01" {
		t.Errorf("%v are left; want the poison", left.Attributes)
	}
	// A message that is not done comes back.
	send(ofS3)
	for len(next(t, q)) == 0 {
	}
	q.Close()
	for len(next(t, q)) == 0 {
	}
}
