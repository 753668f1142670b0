package fn

import (
	"fmt"
	"testing"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

func benchmark(b *testing.B, name string, n int, args ...func(i int) value) {
	f, _ := Lookup(name)
	types := make([]sqltype.Type, len(args))
	for k := range args {
		types[k] = args[k](0).t
	}
	o, params, result, err := f.Resolve(types)
	if err != nil {
		b.Fatal(err)
	}
	c := &Call{Types: params, Result: result, Len: n, Session: session, Memo: &Memo{}}
	for k, arg := range args {
		if k > 0 {
			c.Args = append(c.Args, vec.Datum{Arr: arg(0).array(), Const: true})
			continue
		}
		values := make([]any, n)
		for i := range values {
			values[i] = arg(i).v
		}
		c.Args = append(c.Args, vec.Datum{Arr: columnFrom(types[k], values, false)})
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := o.Eval(c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
}

func BenchmarkAdd(b *testing.B) {
	benchmark(b, "+", 8192, func(i int) value { return bigint(int64(i)) }, func(int) value { return bigint(1) })
}

func BenchmarkLower(b *testing.B) {
	benchmark(b, "lower", 8192, func(i int) value { return varchar(fmt.Sprint("DescribeInstances", i)) })
}

func BenchmarkJSONExtractScalar(b *testing.B) {
	benchmark(b, "json_extract_scalar", 8192, func(i int) value {
		return varchar(fmt.Sprintf(`{"instanceType":"t3.micro","groupSet":{"items":[{"groupId":"sg-%d"}]},"blockDeviceMapping":{},"bucketName":"bucket-%d"}`, i, i))
	}, func(int) value { return varchar("$.bucketName") })
}

func BenchmarkFromISO8601(b *testing.B) {
	benchmark(b, "from_iso8601_timestamp", 8192, func(i int) value {
		return varchar(fmt.Sprintf("2024-01-31T10:%02d:%02dZ", i/60%60, i%60))
	})
}

func BenchmarkRegexpLike(b *testing.B) {
	benchmark(b, "regexp_like", 8192, func(i int) value { return varchar(fmt.Sprint("arn:aws:iam::123456789012:role/Admin", i)) },
		func(int) value { return varchar(`role/(Admin|Power)\d+$`) })
}
