package external

// Kind is how a file is laid out.
type Kind uint8

const (
	Parquet Kind = iota
	Text         // Hive's: a line a row, fields parted by a character, \N for NULL
	CSV          // fields in quotes where they need them, which may hold line ends
	JSON         // an object a line
)

// Format says how files are read.
type Format struct {
	Kind      Kind
	Delimiter byte   // of fields, in Text and CSV
	Items     byte   // of Text: between elements of arrays, of maps and fields of rows
	Keys      byte   // of Text: between key and value in maps
	Escape    byte   // takes the next character as it is; 0: none
	Quote     byte   // of CSV
	Null      string // of Text
	SkipLines int    // at the beginning of each file
	Malformed bool   // of JSON: a line that is no object is a row of NULLs
}
