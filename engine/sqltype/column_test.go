package sqltype

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestColumnJSON: a column comes back from its JSON form, whose type is that of DESCRIBE.
func TestColumnJSON(t *testing.T) {
	columns := []Column{
		{"n", BigIntType}, {"", UnknownType}, {`a "name" <x>`, DecimalOf(10, 2)},
		{"deep", RowOf(Field{Name: "list", Type: ArrayOf(TimestampType)}, Field{Type: VarcharType})},
	}
	text, err := json.Marshal(columns)
	if err != nil {
		t.Fatal(err)
	}
	var got []Column
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, columns) {
		t.Errorf("%s came back as %v, %v", text, got, err)
	}
	if one, err := json.Marshal(columns[0]); err != nil || string(one) != `{"name":"n","type":"bigint"}` {
		t.Errorf("%s, %v", one, err)
	}
	if err := json.Unmarshal([]byte(`[{"name": "n", "type": "no type"}]`), &got); err == nil {
		t.Error("a type that does not exist was read")
	}
}
