package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/verify"
	"github.com/trailql/trailql/connectors/blob"
)

// storeFlags adds the flags of S3 to all commands. The context that it returns brings them to whoever opens a store.
func storeFlags(ctx context.Context, root *cobra.Command) context.Context {
	a := &blob.Access{}
	flags := root.PersistentFlags()
	flags.StringVar(&a.Profile, "profile", "", "for S3: `profile` of the AWS configuration files (or AWS_PROFILE)")
	flags.StringVar(&a.Region, "region", "", "for S3: `region` of the buckets; else they are asked")
	flags.StringVar(&a.Role, "assume-role", "", "for S3: `ARN` of a role to assume first")
	flags.StringVar(&a.Endpoint, "endpoint-url", "", "for S3: `URL` of a store that is not Amazon's (or AWS_ENDPOINT_URL)")
	flags.BoolVar(&a.PathStyle, "path-style", false, "for S3: the bucket stands in the path of requests, not before the host's name")
	flags.BoolVar(&a.RequesterPays, "requester-pays", false, "for S3: pay for requests to buckets whose requester pays")
	flags.StringVar(&a.KMSKey, "kms-key", "", "for S3: `key` of KMS, by id or ARN, that new objects are encrypted with; else as the bucket says")
	return context.WithValue(ctx, accessKey{}, a)
}

type accessKey struct{}

func access(ctx context.Context) blob.Access {
	if a, ok := ctx.Value(accessKey{}).(*blob.Access); ok {
		return *a
	}
	return blob.Access{}
}

// openStore opens a folder, made if missing, or s3://bucket/prefix.
func openStore(ctx context.Context, url string) (blob.Store, error) {
	return blob.Open(ctx, url, access(ctx))
}

// openSource opens a folder that must be there, or s3://bucket/prefix.
func openSource(ctx context.Context, url string) (blob.Store, error) {
	if !blob.Remote(url) {
		info, err := os.Stat(url)
		if err != nil {
			return nil, usage("there is no source at %s: %w", url, errors.Unwrap(err))
		}
		if !info.IsDir() {
			return nil, usage("%s is a file; name the folder that holds the trail", url)
		}
	}
	source, err := openStore(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("opening the source: %w", err)
	}
	return source, nil
}

// openLake opens a lake that must exist, for reading.
func openLake(ctx context.Context, url string) (*catalog.Lake, error) {
	return openLakeWith(ctx, url, catalog.Options{})
}

// openLakeWith is openLake with what opt lets statements do.
func openLakeWith(ctx context.Context, url string, opt catalog.Options) (*catalog.Lake, error) {
	if !lakeMayBe(url) {
		_, err := os.Stat(url)
		return nil, fmt.Errorf("there is no lake at %s: %w; make one with: trailql compact SOURCE --lake %s", url, errors.Unwrap(err), url)
	}
	store, err := openStore(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("opening the lake: %w", err)
	}
	opt.ReadOnly, opt.Computed = true, verify.Tables()
	return openCatalog(ctx, store, opt)
}

// lakeMayBe reports that a folder is there; what is in S3 shows when it is opened.
func lakeMayBe(url string) bool {
	if blob.Remote(url) {
		return true
	}
	_, err := os.Stat(url)
	return err == nil
}

// openCatalog opens the lake in a store. The index of one in S3 stands in the user's cache folder.
func openCatalog(ctx context.Context, store blob.Store, opt catalog.Options) (*catalog.Lake, error) {
	if blob.Remote(store.URL()) {
		opt.IndexPath = cachedIndex(cmp.Or(access(ctx).Endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL")), store.URL())
	}
	return catalog.Open(ctx, store, opt)
}

// cachedIndex is where the index of a lake in S3 stands; "", in memory, where there is no cache folder.
func cachedIndex(endpoint, url string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(endpoint + "\n" + url))
	return filepath.Join(cache, "trailql", hex.EncodeToString(sum[:8]), "index.db")
}

// lakeName is the lake as reports and caches name it, wherever the program is called from.
func lakeName(url string) (string, error) {
	if blob.Remote(url) {
		return strings.TrimSuffix(url, "/"), nil
	}
	return filepath.Abs(url)
}
