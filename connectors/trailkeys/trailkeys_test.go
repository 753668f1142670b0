package trailkeys

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

type fake struct {
	asked []cloudtrail.ListPublicKeysInput
	pages map[string]*cloudtrail.ListPublicKeysOutput // by token
	err   error
}

func (f *fake) ListPublicKeys(_ context.Context, in *cloudtrail.ListPublicKeysInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.ListPublicKeysOutput, error) {
	f.asked = append(f.asked, *in)
	return f.pages[aws.ToString(in.NextToken)], f.err
}

func key(t *testing.T) types.PublicKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der := x509.MarshalPKCS1PublicKey(&k.PublicKey)
	sum := md5.Sum(der)
	return types.PublicKey{Fingerprint: aws.String(hex.EncodeToString(sum[:])), Value: der, ValidityStartTime: aws.Time(time.Unix(1, 0)), ValidityEndTime: aws.Time(time.Unix(2, 0))}
}

func TestPublicKeys(t *testing.T) {
	a, b := key(t), key(t)
	f := &fake{pages: map[string]*cloudtrail.ListPublicKeysOutput{"": {PublicKeyList: []types.PublicKey{a}, NextToken: aws.String("2")}, "2": {PublicKeyList: []types.PublicKey{b}}}}
	regions := 0
	api := With(func(context.Context, string) (Client, error) { regions++; return f, nil })
	from, to := time.Unix(100, 0), time.Unix(200, 0)
	for range 2 {
		keys, err := api.PublicKeys(t.Context(), "us-east-1", from, to)
		if err != nil || len(keys) != 2 || keys[0].Fingerprint != *a.Fingerprint || keys[1].Fingerprint != *b.Fingerprint {
			t.Fatalf("%v, %v", keys, err)
		}
	}
	if regions != 1 || !f.asked[0].StartTime.Equal(from) || !f.asked[0].EndTime.Equal(to) {
		t.Errorf("%d connections, asked %+v", regions, f.asked[0])
	}
	b.Fingerprint = a.Fingerprint // a key under another one's name
	f.pages["2"].PublicKeyList = []types.PublicKey{b}
	if _, err := api.PublicKeys(t.Context(), "us-east-1", from, to); err == nil || !strings.Contains(err.Error(), "fingerprint") {
		t.Errorf("another key: %v", err)
	}
	f.err = errors.New("denied")
	if _, err := api.PublicKeys(t.Context(), "us-east-1", from, to); err == nil || !strings.Contains(err.Error(), "cloudtrail:ListPublicKeys") {
		t.Errorf("refused: %v", err)
	}
}
