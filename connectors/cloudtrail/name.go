package cloudtrail

import (
	"path"
	"strings"
	"time"
)

// SidecarSuffix is what the name of an object has behind it in the file that keeps its metadata in a plain copy:
// {"Metadata": {"signature": …}}, as `aws s3api head-object` prints it. It is no object of the trail.
const SidecarSuffix = ".metadata.json"

// Kind classifies a trail object.
type Kind string

const (
	KindUnknown    Kind = ""
	KindLog        Kind = "CloudTrail"
	KindInsight    Kind = "CloudTrail-Insight"
	KindNetwork    Kind = "CloudTrail-NetworkActivity"
	KindAggregated Kind = "CloudTrail-Aggregated"
	KindDigest     Kind = "CloudTrail-Digest"
)

// records reports whether objects of this kind hold records.
func (k Kind) records() bool { return k != KindUnknown && k != KindDigest }

// ObjectName is what a name tells of a trail object; unknown parts are zero. It is a hint and provenance, never the partition.
type ObjectName struct {
	Kind                 Kind
	Org, Account, Region string
	Stamp                time.Time // delivery, UTC
}

// ParseName reads a slash-separated name in any nesting and with any prefix. It never fails.
//
// Folders are …/[o-org/]ACCOUNT/KIND/REGION/YYYY/MM/DD/, file names ACCOUNT_KIND_REGION_STAMP[_]UNIQUE.json.gz and
// ACCOUNT_CloudTrail-Digest_REGION_TRAIL_REGION_STAMP[_backfill].json.gz. Folders decide; the file name fills what they
// leave open. A name that ends in a slash or in _$folder$ marks a folder and is no object of the trail.
func ParseName(name string) ObjectName {
	var out ObjectName
	parts := strings.Split(name, "/")
	file := parts[len(parts)-1]
	if file == "" || strings.HasSuffix(file, "_$folder$") {
		return out
	}
	folders := parts[:len(parts)-1]
	// The last match counts: a custom prefix may look like a trail itself.
	for i := len(folders) - 1; i > 0; i-- {
		kind := kindOf(folders[i])
		if kind == KindUnknown || !isAccount(folders[i-1]) {
			continue
		}
		out.Kind, out.Account = kind, folders[i-1]
		if i > 1 && strings.HasPrefix(folders[i-2], "o-") {
			out.Org = folders[i-2]
		}
		if i+1 < len(folders) && isRegion(folders[i+1]) {
			out.Region = folders[i+1]
		}
		break
	}
	words := strings.Split(file, "_")
	if len(words) >= 4 && isAccount(words[0]) && kindOf(words[1]) != KindUnknown && isRegion(words[2]) {
		if out.Kind == KindUnknown {
			out.Kind = kindOf(words[1])
		}
		if out.Account == "" {
			out.Account = words[0]
		}
		if out.Region == "" {
			out.Region = words[2]
		}
		// A trail's name in a digest's name may look like a stamp; the stamp comes after it.
		for i := len(words) - 1; i > 2 && out.Stamp.IsZero(); i-- {
			out.Stamp = parseStamp(words[i])
		}
	}
	return out
}

// MayHold reports whether an object of that name is worth reading: what it holds is decided by its content. These are the usual endings of JSON,
// its lines, logs, tables and gzip, and none at all, as Firehose writes.
func MayHold(name string) bool {
	file := name[strings.LastIndexByte(name, '/')+1:]
	if file == "" || strings.HasSuffix(file, "_$folder$") {
		return false
	}
	ending := strings.ToLower(path.Ext(file))
	switch ending {
	case ".json", ".jsonl", ".ndjson", ".log", ".csv", ".gz", "":
		return true
	}
	// The dot may be one of a stream's name, before the time and the random part that Firehose adds.
	return strings.Count(ending, "-") >= 6
}

func kindOf(word string) Kind {
	switch k := Kind(word); k {
	case KindLog, KindInsight, KindNetwork, KindAggregated, KindDigest:
		return k
	}
	return KindUnknown
}

// parseStamp reads YYYYMMDDTHHmm[ss]Z at the start of a word; the zero time if there is none.
func parseStamp(word string) time.Time {
	for _, layout := range [...]string{"20060102T1504Z", "20060102T150405Z"} {
		if len(word) >= len(layout) {
			if t, err := time.Parse(layout, word[:len(layout)]); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// isAccount reports whether s is an AWS account id: exactly 12 digits.
func isAccount[T string | []byte](s T) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// isRegion reports whether s may be the name of a region. Any name is taken that is safe in a path:
// 1 to 64 letters, digits, dots, underscores and hyphens, but not "." or "..".
func isRegion[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > 64 || string(s) == "." || string(s) == ".." {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
