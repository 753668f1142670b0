package sqltype

// Column heads a column of a result. Its JSON form is {"name": …, "type": …}.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// MarshalText writes a type as String does, so that JSON holds it as SQL spells it.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Type) UnmarshalText(text []byte) (err error) {
	*t, err = Parse(string(text))
	return err
}
