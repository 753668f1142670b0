package cloudtrail

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/vec"
)

// What comes again gives the rows that it gives when it is read anew, whatever stands in it, before it and after it.
func TestRepeatedBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	identity := func() string {
		return pick(`{"type":"Root","accountId":"111122223333"}`, `{"type":"IAMUser","userName":"a"}`, `{}`, `null`, `"text"`, `[1]`, `{"type":null}`, `{"type":1.10}`,
			`{"type":"x","unknown":{"a":[1,2]}}`, `{"type":"x","type":"y"}`, `{"type":"a\"b\\c\n"}`, `{"type":"\u00e9"}`, `{"type":"é"}`, "{\"type\":\"\xff\"}", `{ "type" : "loose" }`,
			`{"type":"}","arn":"},\"eventTime\":"}`, `{"sessionContext":{"attributes":{"creationDate":"2024-01-01T00:00:00Z"},"sessionIssuer":{"type":"Role","userName":"R"}}}`,
			`{"sessionContext":{"webIdFederationData":{"federatedProvider":"p","attributes":{"k":"v","l":"w"}}}}`,
			`{"sessionContext":{"webIdFederationData":{"attributes":{}}}}`, `{"sessionContext":{"webIdFederationData":{"attributes":{"k":1}}}}`,
			`{"sessionContext":{"eventTime":"inside"},"type":"z"}`, `{"type":"long","arn":"`+string(bytes.Repeat([]byte("x"), 1+rng.IntN(2)*longestBlock))+`"}`,
			fmt.Sprintf(`{"type":"AssumedRole","accessKeyId":"ASIA%d","onBehalfOf":{"userId":"u"}}`, rng.IntN(30)))
	}
	tls := func() string {
		return pick(`{"tlsVersion":"TLSv1.3","cipherSuite":"c"}`, `{"tlsVersion":"TLSv1.2","clientProvidedHostHeader":"h"}`, `{}`, `null`, `{"tlsVersion":"a}b"}`, `{"new":{"tlsVersion":"x"}}`,
			`{"tlsVersion":{"deep":{}}}`, `{"tlsVersion":"1" }`)
	}
	record := func(i int) string {
		members := []string{fmt.Sprintf(`"eventVersion":"1.%d"`, rng.IntN(3)), `"userIdentity":` + identity(), fmt.Sprintf(`"eventTime":"2024-03-01T00:00:%02dZ"`, i%60), `"tlsDetails":` + tls()}
		if rng.IntN(4) == 0 {
			members = append(members, `"userIdentity":`+identity(), `"eventID":"e"`)
		}
		if rng.IntN(8) == 0 {
			rng.Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
		}
		if rng.IntN(20) == 0 {
			members = append(members, `"insightDetails":{}`)
		}
		var b bytes.Buffer
		for k, m := range members {
			b.WriteString(pick("", "", "", " "))
			if k > 0 {
				b.WriteByte(',')
			}
			b.WriteString(m)
		}
		return "{" + b.String() + "}"
	}
	object := func() []byte {
		var b bytes.Buffer
		b.WriteString(`{"Records":[`)
		for i := range 1 + rng.IntN(40) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(record(i))
		}
		b.WriteString(`]}`)
		return b.Bytes()
	}
	var fast, slow Rows
	slow.decoder = &decoder{}
	slow.decoder.reader.anew = true
	hits := 0
	for i := range 600 {
		content := object()
		if rng.IntN(10) == 0 {
			content = content[:len(content)-1-rng.IntN(20)]
		}
		limits := Limits{Depth: 512 - 508*(i/100%2)}
		f, ferr := Decode(context.Background(), opener(content), "", "p", limits, &fast, nil)
		s, serr := Decode(context.Background(), opener(content), "", "p", limits, &slow, nil)
		if fmt.Sprint(f, ferr) != fmt.Sprint(s, serr) {
			t.Fatalf("%s:\n%v, %v\nanew: %v, %v", content, f, ferr, s, serr)
		}
		if i%50 != 49 {
			continue
		}
		if logs := fast.tables[logs.index]; logs != nil {
			hits += logs.n - logs.blocks[0].n
		}
		got, want := fast.Flush(), slow.Flush()
		if len(got) != len(want) {
			t.Fatalf("%d tables, anew %d", len(got), len(want))
		}
		for table, w := range want {
			sameRows(t, table, got[table], w)
		}
	}
	if hits < 1000 {
		t.Errorf("only %d blocks were met again", hits)
	}
}

func sameRows(t *testing.T, table string, got, want vec.Batch) {
	t.Helper()
	for i, w := range want.Cols {
		if !array.Equal(vec.Plain(undone(got.Cols[i])), vec.Plain(undone(w))) {
			t.Errorf("%s: column %s differs:\n%v\nanew: %v", table, Schema(table)[i].Name, undone(got.Cols[i]), undone(w))
		}
	}
	g, w := rebuilt(t, table, got), rebuilt(t, table, want)
	for i := range w {
		if g[i] != w[i] {
			t.Errorf("%s: row %d is %s\nanew: %s", table, i, g[i], w[i])
		}
	}
}
