package vec

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
)

// isNetwork reports whether values of t are bytes of a form of their own.
func isNetwork(t sqltype.Type) bool {
	return t.Kind == sqltype.IPAddress || t.Kind == sqltype.IPPrefix || t.Kind == sqltype.UUID
}

// textToNetwork casts text to ipaddress, ipprefix or uuid.
func textToNetwork(r *results) (arrow.Array, error) {
	parse := map[sqltype.Kind]func(string) ([]byte, bool){
		sqltype.IPAddress: sqltype.ParseIPAddress, sqltype.IPPrefix: sqltype.ParseIPPrefix, sqltype.UUID: sqltype.ParseUUID,
	}[r.to.Kind]
	values, err := parseTexts(r, parse)
	if err != nil {
		return nil, err
	}
	return newBinary(values, r.valid), nil
}

// network casts between ipaddress, ipprefix, uuid and varbinary.
func (c caster) network(a arrow.Array, from, to sqltype.Type) (arrow.Array, error) {
	r, b := c.results(a, from, to), a.(*array.Binary)
	values := make([][]byte, a.Len())
	for i := range values {
		if r.skip(i) {
			continue
		}
		v, ok := b.Value(i), true
		switch {
		case to.Kind == sqltype.IPPrefix:
			ip := sqltype.AddressOf(v)
			v, ok = sqltype.ParseIPPrefix(ip.String())
		case from.Kind == sqltype.IPPrefix:
			v = v[:16]
		case to.Kind == sqltype.IPAddress:
			v, ok = sqltype.IPAddressBytes(v)
		case to.Kind == sqltype.UUID:
			ok = len(v) == 16
		}
		if !ok {
			if err := r.bad(i); err != nil {
				return nil, err
			}
			continue
		}
		values[i] = v
	}
	return newBinary(values, r.valid), nil
}

func newBinary(values [][]byte, valid bitmap) arrow.Array {
	offsets := make([]int32, len(values)+1)
	var all []byte
	for i, v := range values {
		all = append(all, v...)
		offsets[i+1] = int32(len(all))
	}
	return newText(arrow.BinaryTypes.Binary, offsets, all, valid)
}
