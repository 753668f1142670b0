package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// code is the store's name for an error, "" if it did not say one.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// status is the HTTP status of an answer, 0 if there was none.
func status(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// storeError says what an answer means and what to do; it wraps a cause that callers know, and the answer.
type storeError struct {
	text  string
	cause []error
}

func (e *storeError) Error() string   { return e.text }
func (e *storeError) Unwrap() []error { return e.cause }

// explained turns an answer of the store into an error that says what to do. Missing objects become fs.ErrNotExist and those that changed
// ErrChanged; what may not be read is fs.ErrPermission, never missing.
func explained(err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	said := ""
	if errors.As(err, &api) && api.ErrorMessage() != "" {
		said = ": " + strings.TrimSpace(api.ErrorMessage())
	}
	as := func(cause error, format string, args ...any) error {
		causes := []error{err}
		if cause != nil {
			causes = append(causes, cause)
		}
		return &storeError{fmt.Sprintf(format, args...) + said, causes}
	}
	name := code(err)
	switch {
	case name == "NoSuchBucket":
		return as(nil, "there is no such bucket")
	case name == "NoSuchKey":
		return &storeError{fs.ErrNotExist.Error(), []error{err, fs.ErrNotExist}}
	case strings.HasPrefix(name, "KMS"), strings.Contains(strings.ToLower(said), "kms:"), status(err) == http.StatusForbidden && strings.Contains(said, "KMS"):
		return as(fs.ErrPermission, "the KMS key of the object cannot be used (%s); whoever reads needs kms:Decrypt on the key, whoever writes kms:GenerateDataKey too, in their policy and in the key's, and the key must be enabled", name)
	case name == "InvalidObjectState":
		return as(fs.ErrPermission, "the object is archived (%s); restore it from Glacier first", name)
	case name == "InvalidAccessKeyId", name == "SignatureDoesNotMatch", name == "InvalidToken", name == "ExpiredToken", name == "TokenRefreshRequired", name == "InvalidSecurity":
		return as(fs.ErrPermission, "the store does not take these AWS credentials (%s); look at --profile and the AWS_ variables, or sign in again", name)
	case name == "RequestTimeTooSkewed":
		return as(nil, "this machine's clock is wrong (%s)", name)
	case name == "PermanentRedirect", name == "AuthorizationHeaderMalformed", name == "IllegalLocationConstraintException", status(err) == http.StatusMovedPermanently:
		return as(nil, "the bucket is in another region (%s); leave --region out, or name the right one", name)
	case status(err) == http.StatusForbidden:
		if name == "" {
			name = "Forbidden"
		}
		return as(fs.ErrPermission, "access denied (%s); reading takes s3:GetObject and s3:ListBucket, a lake also s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload; a bucket whose requester pays takes --requester-pays", name)
	case status(err) == http.StatusNotFound:
		return &storeError{fs.ErrNotExist.Error(), []error{err, fs.ErrNotExist}}
	case status(err) == http.StatusPreconditionFailed, status(err) == http.StatusRequestedRangeNotSatisfiable:
		return &storeError{ErrChanged.Error(), []error{err, ErrChanged}}
	case name == "SlowDown", name == "ServiceUnavailable", name == "InternalError":
		return as(nil, "the store is too busy (%s), after %d attempts", name, attempts)
	}
	return err
}

// credentialsError says how credentials are given.
type credentialsError struct {
	profile, role string
	err           error
}

func (e *credentialsError) Error() string {
	var how string
	switch {
	case e.role != "":
		how = fmt.Sprintf("the role %s cannot be assumed; whoever assumes it needs sts:AssumeRole on it, and its trust policy must name them", e.role)
	case e.profile != "":
		how = fmt.Sprintf("profile %q gives no credentials; sign in with: aws sso login --profile %s, or look at ~/.aws/config", e.profile, e.profile)
	default:
		how = "no AWS credentials were found; name a profile with --profile, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached"
	}
	return how + ": " + e.err.Error()
}

func (e *credentialsError) Unwrap() error { return e.err }
