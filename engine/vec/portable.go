package vec

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
)

// The portable form of an array is the one in which it can leave the process, for a file or another machine. It is sqltype.Type.Arrow with
// two differences, at any depth: the zone of a timestamp with time zone is its name, as keys mean nothing elsewhere, and what has no type is
// boolean, as arrow-go's validation refuses its own null arrays.

// PortableType is the Arrow type of the portable form of t.
func PortableType(t sqltype.Type) arrow.DataType {
	data, err := outward.recode(t, Nulls(t, 0).Data())
	if err != nil {
		panic(err) // an array of our own making
	}
	return data.DataType()
}

// Portable gives a, of type t and plain, its portable form. Arrays that have it already are returned as they are.
func Portable(t sqltype.Type, a arrow.Array) (arrow.Array, error) { return recoded(outward, t, a) }

// FromPortable is the way back. A zone that is not known here, or an array of another form, is an error.
func FromPortable(t sqltype.Type, a arrow.Array) (arrow.Array, error) {
	out, err := recoded(inward, t, a)
	if err == nil && !arrow.TypeEqual(out.DataType(), t.Arrow()) {
		return nil, fmt.Errorf("it is %s and not %s", a.DataType(), t)
	}
	return out, err
}

// zoneText is the portable form of a timestamp with time zone.
var zoneText = arrow.StructOf(sqltype.TimestampTZForm.Field(0), arrow.Field{Name: "zone", Type: arrow.BinaryTypes.String, Nullable: true})

// recoding turns the two forms, for a column or what lies inside.
type recoding struct {
	zones func(arrow.ArrayData) (arrow.ArrayData, error)
	null  sqltype.Type // that stands for what has no type
}

var (
	outward = recoding{zoneNames, sqltype.BooleanType}
	inward  = recoding{zoneKeys, sqltype.Type{}}
)

func recoded(r recoding, t sqltype.Type, a arrow.Array) (arrow.Array, error) {
	data, err := r.recode(t, a.Data())
	if err != nil {
		return nil, err
	}
	if data == a.Data() {
		return a, nil
	}
	return array.MakeFromData(data), nil
}

// recode returns data of type t with what is in it recoded; data without anything to recode is returned as it is.
func (r recoding) recode(t sqltype.Type, data arrow.ArrayData) (arrow.ArrayData, error) {
	children := data.Children()
	inner := []sqltype.Type{}
	switch t.Kind {
	case sqltype.Unknown:
		return Nulls(r.null, data.Len()).Data(), nil
	case sqltype.TimeTZ, sqltype.TimestampTZ:
		if len(children) != 2 {
			return nil, errors.New("a timestamp with time zone has no zone")
		}
		zone, err := r.zones(children[1])
		if err != nil {
			return nil, err
		}
		form := sqltype.TimestampTZForm
		if zone.DataType().ID() == arrow.STRING {
			form = zoneText
		}
		return replaced(data, form, []arrow.ArrayData{children[0], zone}), nil
	case sqltype.Array:
		inner = append(inner, *t.Elem)
	case sqltype.Map:
		inner = append(inner, sqltype.RowOf(sqltype.Field{Name: "key", Type: *t.Key}, sqltype.Field{Name: "value", Type: *t.Elem}))
	case sqltype.Row:
		for _, f := range t.Fields {
			inner = append(inner, f.Type)
		}
	}
	if len(children) != len(inner) {
		return nil, fmt.Errorf("it has not the parts of %s", t)
	}
	turned, same := make([]arrow.ArrayData, len(inner)), true
	for i := range inner {
		var err error
		if turned[i], err = r.recode(inner[i], children[i]); err != nil {
			return nil, err
		}
		same = same && turned[i] == children[i]
	}
	if same {
		return data, nil
	}
	var form arrow.DataType
	switch t.Kind {
	case sqltype.Array:
		form = arrow.ListOf(turned[0].DataType())
	case sqltype.Map:
		entry := turned[0].DataType().(*arrow.StructType)
		form = arrow.MapOf(entry.Field(0).Type, entry.Field(1).Type)
		turned[0] = replaced(turned[0], form.(*arrow.MapType).Elem(), turned[0].Children())
	default:
		fields := make([]arrow.Field, len(inner))
		for i, f := range t.Fields {
			fields[i] = arrow.Field{Name: f.Name, Type: turned[i].DataType(), Nullable: true}
		}
		form = arrow.StructOf(fields...)
	}
	return replaced(data, form, turned), nil
}

// replaced is data with other children, as long as its own were.
func replaced(data arrow.ArrayData, form arrow.DataType, children []arrow.ArrayData) arrow.ArrayData {
	return array.NewData(form, data.Len(), data.Buffers(), children, data.NullN(), data.Offset())
}

// zoneNames turns zone keys of this process into names.
func zoneNames(keys arrow.ArrayData) (arrow.ArrayData, error) {
	in, ok := array.MakeFromData(keys).(*array.Int16)
	if !ok {
		return nil, errors.New("a timestamp with time zone has no zone")
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for row := range in.Len() {
		if in.IsNull(row) {
			b.AppendNull()
			continue
		}
		name, _ := sqltype.Zone(in.Value(row))
		b.Append(name)
	}
	return b.NewArray().Data(), nil
}

// zoneKeys turns names of zones into keys of this process.
func zoneKeys(names arrow.ArrayData) (arrow.ArrayData, error) {
	in, ok := array.MakeFromData(names).(*array.String)
	if !ok {
		return nil, errors.New("a timestamp with time zone has no zone")
	}
	b := array.NewInt16Builder(memory.DefaultAllocator)
	for row := range in.Len() {
		if in.IsNull(row) {
			b.AppendNull()
			continue
		}
		key, ok := sqltype.ZoneKey(in.Value(row))
		if !ok {
			return nil, fmt.Errorf("there is no time zone %q", in.Value(row))
		}
		b.Append(key)
	}
	return b.NewArray().Data(), nil
}
