package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/trailql/trailql/catalog/compact"
)

// notice is what a message may say, in the forms in which S3, CloudTrail, SNS and EventBridge write it.
type notice struct {
	Message *string // of SNS: the notification, as text

	S3Bucket    string // of CloudTrail
	S3ObjectKey []string

	Records []struct { // of S3
		EventName string
		S3        struct {
			Bucket struct{ Name string }
			Object struct{ Key, VersionID string }
		}
	}
	Event string // s3:TestEvent

	DetailType string `json:"detail-type"` // of EventBridge
	Source     string
	Detail     struct {
		Bucket struct{ Name string }
		Object struct {
			Key       string
			VersionID string `json:"version-id"`
		}
	}
}

// What CloudTrail and S3 write to see whether they may.
const (
	validation = "CloudTrail validation message."
	testEvent  = "s3:TestEvent"
)

// parse returns the objects that a message names: none if it is of no concern, such as a test or a removal. The error says that the
// message is no notification of objects. The forms are tried in this order:
//
//	CloudTrail → SNS    Message: {"s3Bucket", "s3ObjectKey": […]}
//	S3 → SNS            Message: {"Records": […]}
//	S3                  {"Records": [{"s3": {"bucket": {"name"}, "object": {"key", "versionId"}}}]}, the key URL-encoded
//	SNS, raw delivery   what stands in Message otherwise
//	S3 → EventBridge    {"detail-type": "Object Created", "detail": {"bucket": {"name"}, "object": {"key", "version-id"}}}
//	tests               "CloudTrail validation message.", {"Event": "s3:TestEvent"}
func parse(body string) ([]compact.Hint, error) {
	n, ok, err := read(body)
	if err != nil || !ok {
		return nil, err
	}
	if n.Message != nil {
		if n, ok, err = read(*n.Message); err != nil || !ok {
			return nil, err
		}
	}
	var hints []compact.Hint
	switch {
	case n.S3Bucket != "" && len(n.S3ObjectKey) > 0:
		for _, key := range n.S3ObjectKey {
			hints = append(hints, compact.Hint{Bucket: n.S3Bucket, Key: key})
		}
	case len(n.Records) > 0:
		for _, r := range n.Records {
			key, err := url.QueryUnescape(r.S3.Object.Key)
			switch {
			case err != nil:
				return nil, fmt.Errorf("the object's key is not encoded as in a URL: %w", err)
			case r.EventName == "" || r.S3.Bucket.Name == "" || key == "":
				return nil, errors.New("a record names no event, bucket or key of S3")
			case strings.HasPrefix(strings.TrimPrefix(r.EventName, "s3:"), "ObjectCreated:"):
				hints = append(hints, compact.Hint{Bucket: r.S3.Bucket.Name, Key: key, Version: r.S3.Object.VersionID})
			}
		}
	case n.Source == "aws.s3" && n.DetailType != "" && n.Detail.Bucket.Name != "" && n.Detail.Object.Key != "":
		if n.DetailType == "Object Created" {
			hints = append(hints, compact.Hint{Bucket: n.Detail.Bucket.Name, Key: n.Detail.Object.Key, Version: n.Detail.Object.VersionID})
		}
	case n.Event == testEvent:
	default:
		return nil, errors.New("it has none of the forms in which S3, CloudTrail and EventBridge tell of objects")
	}
	for _, h := range hints {
		if h.Key == "" {
			return nil, errors.New("an object has no key")
		}
	}
	return hints, nil
}

// read reads one level of a message; ok is false if it only tests.
func read(text string) (n notice, ok bool, err error) {
	if strings.TrimSpace(text) == validation {
		return n, false, nil
	}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return n, false, fmt.Errorf("it is no JSON of a notification: %w", err)
	}
	return n, true, nil
}
