package catalog

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// fileStats is the stats text of an add: bounds and NULL counts by column, rows nested as in the schema. Times are
// ISO 8601 with milliseconds: the lower bound rounded down, the upper one up.
type fileStats struct {
	NumRecords int64          `json:"numRecords"`
	MinValues  map[string]any `json:"minValues,omitempty"`
	MaxValues  map[string]any `json:"maxValues,omitempty"`
	NullCount  map[string]any `json:"nullCount,omitempty"`
}

// leafType finds a dotted leaf path ("useridentity.type", "resources.list.element.arn"); ok is false for what is no scalar leaf.
func leafType(columns []source.Column, leaf string) (t sqltype.Type, ok bool) {
	name, rest, nested := strings.Cut(leaf, ".")
	for _, c := range columns {
		if c.Name != name {
			continue
		}
		t = c.Type
		for nested {
			if t.Kind == sqltype.Array {
				if rest, ok = strings.CutPrefix(rest, "list.element"); !ok {
					return t, false
				}
				rest, nested = strings.CutPrefix(rest, ".")
				t = *t.Elem
				continue
			}
			name, rest, nested = strings.Cut(rest, ".")
			if t.Kind != sqltype.Row {
				return t, false
			}
			found := false
			for _, f := range t.Fields {
				if strings.EqualFold(f.Name, name) {
					t, found = f.Type, true
					break
				}
			}
			if !found {
				return t, false
			}
		}
		return t, t.Kind != sqltype.Row && t.Kind != sqltype.Array && t.Kind != sqltype.Map
	}
	return t, false
}

// encodeStats writes the statistics of the leaves that the table keeps in its log.
func encodeStats(t *Layout, rows int64, stats map[string]parquetio.Stats) (string, error) {
	out := fileStats{rows, map[string]any{}, map[string]any{}, map[string]any{}}
	for _, leaf := range t.Statistics {
		s, known := stats[leaf]
		typ, ok := leafType(t.Columns, leaf)
		if !known || !ok {
			continue
		}
		if s.Nulls >= 0 {
			setNested(out.NullCount, leaf, s.Nulls)
		}
		lo, okLo := encodeBound(typ, s.Min, false)
		hi, okHi := encodeBound(typ, s.Max, true)
		if okLo && okHi {
			setNested(out.MinValues, leaf, lo)
			setNested(out.MaxValues, leaf, hi)
		}
	}
	text, err := json.Marshal(out)
	return string(text), err
}

func setNested(m map[string]any, leaf string, v any) {
	for {
		name, rest, nested := strings.Cut(leaf, ".")
		if !nested {
			m[name] = v
			return
		}
		sub, ok := m[name].(map[string]any)
		if !ok {
			sub = map[string]any{}
			m[name] = sub
		}
		m, leaf = sub, rest
	}
}

func getNested(m map[string]any, leaf string) any {
	for {
		name, rest, nested := strings.Cut(leaf, ".")
		if !nested {
			return m[name]
		}
		sub, ok := m[name].(map[string]any)
		if !ok {
			return nil
		}
		m, leaf = sub, rest
	}
}

// deltaTime is the form of times in Delta statistics.
const deltaTime = "2006-01-02T15:04:05.000Z"

// encodeBound returns the JSON value of a bound; ok is false where there is none that can be kept exactly or safely.
// Delta keeps no bounds of booleans.
func encodeBound(t sqltype.Type, v any, upper bool) (out any, ok bool) {
	switch v := v.(type) {
	case int64:
		switch t.Kind {
		case sqltype.Date:
			return time.Unix(v*86400, 0).UTC().Format(time.DateOnly), true
		case sqltype.Timestamp:
			at := time.UnixMicro(v).UTC()
			if at.Year() < 0 || at.Year() > 9998 {
				return nil, false
			}
			down := at.Truncate(time.Millisecond)
			if upper && down.Before(at) {
				down = down.Add(time.Millisecond)
			}
			return down.Format(deltaTime), true
		case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt:
			return v, true
		}
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v, true
		}
	case string:
		if (t.Kind == sqltype.Varchar || t.Kind == sqltype.JSON) && utf8.ValidString(v) {
			return v, true
		}
	}
	return nil, false
}

// decodeBound is the way back; nil where the text is none of ours.
func decodeBound(t sqltype.Type, v any) any {
	switch v := v.(type) {
	case json.Number:
		switch t.Kind {
		case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt:
			if n, err := v.Int64(); err == nil {
				return n
			}
		case sqltype.Real, sqltype.Double:
			if f, err := v.Float64(); err == nil {
				return f
			}
		}
	case string:
		switch t.Kind {
		case sqltype.Date:
			if d, err := time.Parse(time.DateOnly, v); err == nil {
				return d.Unix() / 86400
			}
		case sqltype.Timestamp:
			if at, err := time.Parse(deltaTime, v); err == nil {
				return at.UnixMicro()
			}
		case sqltype.Varchar, sqltype.JSON:
			return v
		}
	}
	return nil
}

// decodeStats reads the statistics of a file. Leaves without any are absent.
func decodeStats(t *Layout, text string) (map[string]parquetio.Stats, error) {
	if text == "" {
		return nil, nil
	}
	var in fileStats
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("statistics are no JSON: %w", err)
	}
	out := make(map[string]parquetio.Stats, len(t.Statistics))
	for _, leaf := range t.Statistics {
		typ, ok := leafType(t.Columns, leaf)
		if !ok {
			continue
		}
		s := parquetio.Stats{Nulls: -1}
		if n, ok := getNested(in.NullCount, leaf).(json.Number); ok {
			if count, err := n.Int64(); err == nil && count >= 0 {
				s.Nulls = count
			}
		}
		s.Min, s.Max = decodeBound(typ, getNested(in.MinValues, leaf)), decodeBound(typ, getNested(in.MaxValues, leaf))
		if s.Min == nil || s.Max == nil {
			s.Min, s.Max = nil, nil
		}
		if s.Nulls >= 0 || s.Min != nil {
			out[leaf] = s
		}
	}
	return out, nil
}

// Forms of bounds in packed statistics.
const (
	packedNone = iota
	packedInt
	packedFloat
	packedText
)

// packStats turns the statistics of a log entry into what the index keeps: it is read for every file that a query may want, and JSON
// takes its time. Leaves are in the order of the layout, whose mark goes before them. Statistics that are none of ours are left out.
func packStats(t *Layout, text string) []byte {
	stats, err := decodeStats(t, text)
	if err != nil {
		return nil
	}
	out := binary.LittleEndian.AppendUint32(nil, t.statisticsMark())
	for _, leaf := range t.Statistics {
		s, ok := stats[leaf]
		if !ok {
			s.Nulls = -1
		}
		out = binary.AppendVarint(out, s.Nulls)
		switch lo := s.Min.(type) {
		case int64:
			out = binary.AppendVarint(append(out, packedInt), lo)
			out = binary.AppendVarint(out, s.Max.(int64))
		case float64:
			out = binary.LittleEndian.AppendUint64(append(out, packedFloat), math.Float64bits(lo))
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(s.Max.(float64)))
		case string:
			out = append(out, packedText)
			for _, text := range []string{lo, s.Max.(string)} {
				out = binary.AppendUvarint(out, uint64(len(text)))
				out = append(out, text...)
			}
		default:
			out = append(out, packedNone)
		}
	}
	return out
}

// statisticsMark tells layouts apart whose packed statistics differ.
func (t *Layout) statisticsMark() uint32 {
	return crc32.ChecksumIEEE([]byte(strings.Join(t.Statistics, "\x00")))
}

// unpackStats reads what packStats wrote. Leaves without statistics are absent; there are none of bytes that are not the layout's.
func unpackStats(t *Layout, data []byte) map[string]parquetio.Stats {
	if len(data) < 4 || binary.LittleEndian.Uint32(data) != t.statisticsMark() {
		return nil
	}
	r := varints{data: data[4:]}
	out := make(map[string]parquetio.Stats, len(t.Statistics))
	for _, leaf := range t.Statistics {
		s := parquetio.Stats{Nulls: r.signed()}
		switch r.next() {
		case packedInt:
			s.Min, s.Max = r.signed(), r.signed()
		case packedFloat:
			s.Min, s.Max = math.Float64frombits(r.fixed()), math.Float64frombits(r.fixed())
		case packedText:
			s.Min, s.Max = r.text(), r.text()
		}
		if s.Nulls >= 0 || s.Min != nil {
			out[leaf] = s
		}
	}
	if r.bad || len(r.data) > 0 {
		return nil
	}
	return out
}
