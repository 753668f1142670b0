package verify

import (
	"path"
	"slices"
	"strings"

	"github.com/trailql/trailql/connectors/blob"
)

// Moved says that objects which CloudTrail delivered below a prefix of a bucket now stand below a URL.
type Moved struct{ Bucket, Prefix, URL string }

// places tells where an object that a digest names by bucket and key stands now.
type places struct {
	sources []blob.Store
	moved   []Moved
}

// spot is an object of a source.
type spot struct {
	source int
	name   string
}

func (p *places) url(a spot) string {
	return strings.ToValidUTF8(p.sources[a.source].URL()+"/"+a.name, "\uFFFD")
}

// find is the object of a URL, false if it is in none of the sources.
func (p *places) find(url string) (spot, bool) {
	for i, s := range p.sources {
		if name, ok := strings.CutPrefix(url, s.URL()+"/"); ok {
			return spot{i, name}, true
		}
	}
	return spot{}, false
}

// given is where the options, or the name of a bucket that is a source, put an object; false where they say nothing.
func (p *places) given(bucket, key string) (string, bool) {
	for _, m := range p.moved {
		if rest, ok := below(key, m.Prefix); ok && m.Bucket == bucket {
			return strings.TrimSuffix(m.URL, "/") + "/" + rest, true
		}
	}
	url := "s3://" + bucket + "/" + key
	_, ok := p.find(url)
	return url, ok
}

// original reports whether an object stands where the digest says, as far as that can be told: in a bucket under bucket and key; in a copy
// under the same folders, from the last one called AWSLogs or from the top of the copy on. An object that the options put elsewhere
// must be there.
func (p *places) original(a spot, bucket, key string) bool {
	if url, ok := p.given(bucket, key); ok {
		return url == p.url(a)
	}
	if strings.Contains(p.sources[a.source].URL(), "://") {
		return false
	}
	return len(common(a.name, key)) > 0
}

// common is the end that the name of a copy shares with a key, "" if the two are not of one object.
func common(name, key string) string {
	parts := strings.Split(key, "/")
	from := max(0, lastIndex(parts, "AWSLogs"))
	names := strings.Split(name, "/")
	n := 0
	for n < len(names) && n < len(parts)-from && names[len(names)-1-n] == parts[len(parts)-1-n] {
		n++
	}
	if n < len(names) && n < len(parts)-from {
		return ""
	}
	return strings.Join(parts[len(parts)-n:], "/")
}

// expected is where an object should stand that a digest names, told by where that digest stands and where it says that it does. In a copy of
// several buckets each is a folder.
func (p *places) expected(digest spot, digestBucket, digestKey, bucket, key string) string {
	if url, ok := p.given(bucket, key); ok {
		return url
	}
	source := p.sources[digest.source].URL()
	if strings.Contains(source, "://") {
		return "s3://" + bucket + "/" + key // in another bucket
	}
	same := common(digest.name, digestKey)
	from, to := strings.TrimSuffix(digestKey, same), strings.TrimSuffix(digest.name, same)
	if same == "" { // the digest was moved
		from, to = above(digestKey), above(digest.name)
	}
	if bucket != digestBucket {
		folders := strings.Split(to, "/")
		if i := lastIndex(folders, digestBucket); i >= 0 {
			folders[i] = bucket
			to = strings.Join(folders, "/")
		}
	}
	if rest, ok := strings.CutPrefix(key, from); ok {
		return source + "/" + to + rest
	}
	if same != "" && !strings.Contains(same, "/") { // a copy without folders
		return source + "/" + to + path.Base(key)
	}
	if parts := strings.Split(key, "/"); lastIndex(parts, "AWSLogs") >= 0 { // another prefix or bucket, in the same copy
		return source + "/" + to + strings.Join(parts[lastIndex(parts, "AWSLogs"):], "/")
	}
	return source + "/" + to + key
}

// above is what a name has before its last folder AWSLogs, "" if it has none.
func above(name string) string {
	parts := strings.Split(name, "/")
	if i := lastIndex(parts, "AWSLogs"); i > 0 {
		return strings.Join(parts[:i], "/") + "/"
	}
	return ""
}

// below cuts a folder off a key.
func below(key, prefix string) (rest string, ok bool) {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" {
		return key, true
	}
	return strings.CutPrefix(key, prefix+"/")
}

func lastIndex(parts []string, part string) int {
	for i := range slices.Backward(parts) {
		if parts[i] == part {
			return i
		}
	}
	return -1
}
