// Package trailkeys asks CloudTrail for the public keys that its digests are verified with.
package trailkeys

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	trail "github.com/trailql/trailql/connectors/cloudtrail"
)

// Access is what it takes to reach CloudTrail beside the usual environment and configuration files of AWS.
type Access struct {
	Profile  string // of the configuration files
	Role     string // ARN of a role to assume
	Endpoint string // URL of another service than Amazon's; ""
}

// Client is the one operation of CloudTrail's API that is needed.
type Client interface {
	ListPublicKeys(ctx context.Context, in *cloudtrail.ListPublicKeysInput, opt ...func(*cloudtrail.Options)) (*cloudtrail.ListPublicKeysOutput, error)
}

// API gives the keys that CloudTrail's ListPublicKeys returns. Not safe for concurrent use.
type API struct {
	connect func(ctx context.Context, region string) (Client, error)
	clients map[string]Client
}

// New asks nothing yet: only who wants a key needs credentials.
func New(a Access) *API {
	return With(func(ctx context.Context, region string) (Client, error) {
		load := []func(*config.LoadOptions) error{config.WithRegion(region)}
		if a.Profile != "" {
			load = append(load, config.WithSharedConfigProfile(a.Profile))
		}
		cfg, err := config.LoadDefaultConfig(ctx, load...)
		if err != nil {
			return nil, fmt.Errorf("AWS configuration: %w", err)
		}
		if a.Role != "" {
			cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), a.Role))
		}
		return cloudtrail.NewFromConfig(cfg, func(o *cloudtrail.Options) {
			if a.Endpoint != "" {
				o.BaseEndpoint = aws.String(a.Endpoint)
			}
		}), nil
	})
}

// With is New with another way to a region's service.
func With(connect func(ctx context.Context, region string) (Client, error)) *API {
	return &API{connect, map[string]Client{}}
}

// PublicKeys returns the keys of a region that were valid at some time of a period.
func (a *API) PublicKeys(ctx context.Context, region string, from, to time.Time) ([]trail.PublicKey, error) {
	client := a.clients[region]
	if client == nil {
		var err error
		if client, err = a.connect(ctx, region); err != nil {
			return nil, err
		}
		a.clients[region] = client
	}
	var keys []trail.PublicKey
	in := &cloudtrail.ListPublicKeysInput{StartTime: aws.Time(from), EndTime: aws.Time(to)}
	for range 1000 { // pages; the service has never given a second one
		page, err := client.ListPublicKeys(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("asking CloudTrail for its keys (needs cloudtrail:ListPublicKeys; or use saved ones: --keys): %w", err)
		}
		for _, k := range page.PublicKeyList {
			key, err := trail.NewPublicKey(aws.ToString(k.Fingerprint), k.Value, aws.ToTime(k.ValidityStartTime), aws.ToTime(k.ValidityEndTime))
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
		if in.NextToken = page.NextToken; aws.ToString(in.NextToken) == "" {
			return keys, nil
		}
	}
	return nil, fmt.Errorf("CloudTrail's list of the keys of %s does not end", region)
}
