package synth

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// world is who acts and on what: fixed for a seed, so that all days of a trail show the same people and things.
type world struct {
	org      string
	accounts []account
	regions  []string
	weights  []float64 // of the regions, cumulative
}

type account struct {
	id, name string
	users    []principal
	roles    []role
	buckets  []string
	keys     []string // KMS key ids
	tables   []string
	groups   []string // security groups
	office   string   // the address people of this account come from
}

type principal struct {
	name, id, accessKey, agent, ip string
}

type role struct {
	name, id string
	human    bool   // assumed by people through the identity provider
	service  string // or by this service
	agent    string
}

var regionNames = []string{"us-east-1", "eu-central-1", "us-west-2", "ap-southeast-2", "eu-west-1", "us-east-2", "sa-east-1", "ap-northeast-1"}

var accountNames = []string{"prod", "staging", "security", "sandbox", "data", "shared", "billing", "research"}

var userNames = []string{"alice", "bruno", "chiara", "deniz", "emeka", "freya", "goran", "hana", "ines", "jonas", "kofi", "lena"}

var agents = []string{
	"aws-cli/2.27.4 md/awscrt#0.26.1 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.2 md/pyimpl#CPython cfg/retry-mode#standard",
	"Boto3/1.38.2 md/Botocore#1.38.2 ua/2.1 os/linux#5.10.234 md/arch#x86_64 lang/python#3.12.9 exec-env/AWS_Lambda_python3.12",
	"APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.94.1",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:137.0) Gecko/20100101 Firefox/137.0",
	"aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.2 md/GOOS#linux md/GOARCH#arm64 api/s3#1.79.2",
	"aws-sdk-java/2.31.6 md/io#sync md/http#Apache ua/2.1 os/Linux#5.15 lang/java#21.0.6",
}

func newWorld(opt Options) *world {
	r := rand.New(rand.NewPCG(opt.Seed, 0x776f726c64))
	w := &world{org: "o-" + lowerAlnum(r, 10), regions: regionNames[:opt.Regions]}
	// A home region takes most of the traffic, each further one half of the one before.
	sum, weight := 0.0, 1.0
	for range w.regions {
		sum += weight
		w.weights = append(w.weights, sum)
		if !opt.Even {
			weight /= 2
		}
	}
	for i := range w.weights {
		w.weights[i] /= sum
	}
	for i := range opt.Accounts {
		a := account{id: digits(r, 12), name: accountNames[i%len(accountNames)], office: fmt.Sprintf("203.0.113.%d", 10+i)}
		if i >= len(accountNames) {
			a.name = fmt.Sprintf("%s%d", a.name, i/len(accountNames)+1)
		}
		for u, name := range userNames {
			a.users = append(a.users, principal{name: name, id: "AIDA" + upperAlnum(r, 17), accessKey: "AKIA" + upperAlnum(r, 16),
				agent: agents[(u+i)%len(agents)], ip: fmt.Sprintf("203.0.113.%d", 20+(u*7+i*13)%200)})
		}
		a.users = append(a.users, principal{name: "ci-deploy", id: "AIDA" + upperAlnum(r, 17), accessKey: "AKIA" + upperAlnum(r, 16),
			agent: agents[2], ip: "203.0.113.5"})
		for _, name := range []string{"AdministratorAccess", "DeveloperAccess", "AuditorAccess"} {
			a.roles = append(a.roles, role{name: "AWSReservedSSO_" + name + "_" + lowerHex(r, 16), id: "AROA" + upperAlnum(r, 17), human: true, agent: agents[3]})
		}
		a.roles = append(a.roles,
			role{name: "OrganizationAccountAccessRole", id: "AROA" + upperAlnum(r, 17), human: true, agent: agents[0]},
			role{name: "app-server", id: "AROA" + upperAlnum(r, 17), service: "ec2.amazonaws.com", agent: agents[5]},
			role{name: "order-worker", id: "AROA" + upperAlnum(r, 17), service: "lambda.amazonaws.com", agent: agents[1]},
			role{name: "batch-etl", id: "AROA" + upperAlnum(r, 17), service: "ecs-tasks.amazonaws.com", agent: agents[6]})
		for _, b := range []string{"logs", "assets", "customer-exports", "backups", "artifacts"} {
			a.buckets = append(a.buckets, a.name+"-"+b+"-"+lowerAlnum(r, 6))
		}
		for range 4 {
			a.keys = append(a.keys, uuid(r))
		}
		a.tables = []string{"orders", "sessions", "inventory"}
		for range 6 {
			a.groups = append(a.groups, "sg-0"+lowerHex(r, 16))
		}
		w.accounts = append(w.accounts, a)
	}
	return w
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// zipf picks low indexes far more often: a few principals do most of the work.
func zipf(r *rand.Rand, n int) int {
	x := r.Float64()
	return int(x * x * x * float64(n))
}

func (w *world) region(r *rand.Rand) string {
	x := r.Float64()
	for i, up := range w.weights {
		if x < up {
			return w.regions[i]
		}
	}
	return w.regions[0]
}

func letters(r *rand.Rand, n int, alphabet string) string {
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func digits(r *rand.Rand, n int) string {
	return letters(r, 1, "123456789") + letters(r, n-1, "0123456789")
}
func lowerHex(r *rand.Rand, n int) string { return letters(r, n, "0123456789abcdef") }
func lowerAlnum(r *rand.Rand, n int) string {
	return letters(r, n, "abcdefghijklmnopqrstuvwxyz0123456789")
}
func upperAlnum(r *rand.Rand, n int) string { return letters(r, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") }
func base64ish(r *rand.Rand, n int) string {
	return letters(r, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}

func uuid(r *rand.Rand) string {
	const hex = "0123456789abcdef"
	var b [36]byte
	hi, lo := r.Uint64(), r.Uint64()
	for i := range b {
		switch i {
		case 8, 13, 18, 23:
			b[i] = '-'
			continue
		case 14:
			b[i] = '4'
			continue
		}
		if i < 18 {
			b[i], hi = hex[hi&15], hi>>4
		} else {
			b[i], lo = hex[lo&15], lo>>4
		}
	}
	return string(b[:])
}
