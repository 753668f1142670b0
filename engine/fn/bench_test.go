package fn

import (
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

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

func eventTime(i int) value {
	return varchar(fmt.Sprintf("2024-01-31T10:%02d:%02dZ", i/120%60, i/2%60))
}

func BenchmarkSubstr(b *testing.B) {
	benchmark(b, "substr", 8192, eventTime, func(int) value { return bigint(1) }, func(int) value { return bigint(13) })
}

func BenchmarkSubstrUnlike(b *testing.B) {
	benchmark(b, "substr", 8192, func(i int) value { return varchar(fmt.Sprint(i*7919, "-abcdefgh-", i)) }, func(int) value { return bigint(1) },
		func(int) value { return bigint(8) })
}

func BenchmarkLength(b *testing.B) {
	benchmark(b, "length", 8192, eventTime)
}

func BenchmarkSplitPart(b *testing.B) {
	benchmark(b, "split_part", 8192, func(i int) value { return varchar(fmt.Sprint("arn:aws:iam::123456789012:role/Admin", i)) },
		func(int) value { return varchar(":") }, func(int) value { return bigint(6) })
}

func BenchmarkConcat(b *testing.B) {
	benchmark(b, "concat", 8192, func(i int) value { return varchar(fmt.Sprint("Describe", i)) }, func(int) value { return varchar("-x") })
}

func BenchmarkLikeContains(b *testing.B) {
	benchmark(b, "like", 8192, func(i int) value {
		return varchar(fmt.Sprintf(`{"instanceType":"t3.micro","groupSet":{"items":[{"groupId":"sg-%d"}]},"blockDeviceMapping":{},"bucketName":"bucket-%d"}`, i, i))
	}, func(int) value { return varchar("%customer%") })
}

func BenchmarkLikePrefix(b *testing.B) {
	benchmark(b, "like", 8192, eventTime, func(int) value { return varchar("2024-01%") })
}

func BenchmarkDateTrunc(b *testing.B) {
	f, _ := Lookup("date_trunc")
	times := timesOf(b)
	o, params, result, err := f.Resolve([]sqltype.Type{sqltype.VarcharType, sqltype.TimestampTZType})
	if err != nil {
		b.Fatal(err)
	}
	c := &Call{Types: params, Result: result, Len: times.Len(), Session: session, Memo: &Memo{},
		Args: []vec.Datum{{Arr: varchar("hour").array(), Const: true}, {Arr: times}}}
	for b.Loop() {
		if _, err := o.Eval(c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(times.Len()), "ns/row")
}

func BenchmarkFormatDatetime(b *testing.B) {
	f, _ := Lookup("format_datetime")
	times := timesOf(b)
	o, params, result, err := f.Resolve([]sqltype.Type{sqltype.TimestampTZType, sqltype.VarcharType})
	if err != nil {
		b.Fatal(err)
	}
	c := &Call{Types: params, Result: result, Len: times.Len(), Session: session, Memo: &Memo{},
		Args: []vec.Datum{{Arr: times}, {Arr: varchar("yyyy-MM-dd HH:mm").array(), Const: true}}}
	for b.Loop() {
		if _, err := o.Eval(c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(times.Len()), "ns/row")
}

func timesOf(b *testing.B) arrow.Array {
	values := make([]any, 8192)
	for i := range values {
		values[i] = eventTime(i).v
	}
	text := vec.Datum{Arr: columnFrom(sqltype.VarcharType, values, false)}
	d, err := vec.Cast(text, sqltype.VarcharType, sqltype.TimestampTZType, false, time.UTC, time.Time{}, len(values))
	if err != nil {
		b.Fatal(err)
	}
	return d.Arr
}

func BenchmarkCastTimestamp(b *testing.B) {
	values := make([]any, 8192)
	for i := range values {
		values[i] = eventTime(i).v.(string)[:19]
	}
	text := vec.Datum{Arr: columnFrom(sqltype.VarcharType, values, false)}
	for b.Loop() {
		if _, err := vec.Cast(text, sqltype.VarcharType, sqltype.TimestampType, false, time.UTC, time.Time{}, len(values)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8192, "ns/row")
}

func BenchmarkYear(b *testing.B) {
	f, _ := Lookup("year")
	times := timesOf(b)
	o, params, result, _ := f.Resolve([]sqltype.Type{sqltype.TimestampTZType})
	c := &Call{Types: params, Result: result, Len: times.Len(), Session: session, Memo: &Memo{}, Args: []vec.Datum{{Arr: times}}}
	for b.Loop() {
		if _, err := o.Eval(c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(times.Len()), "ns/row")
}

func BenchmarkParseDatetime(b *testing.B) {
	benchmark(b, "parse_datetime", 8192, eventTime, func(int) value { return varchar("yyyy-MM-dd'T'HH:mm:ss'Z'") })
}
