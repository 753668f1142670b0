package sql

import "github.com/trailql/trailql/engine/sqltype"

// Statements that define relations or write files.
type (
	// CreateView is CREATE [OR REPLACE] VIEW name [(columns)] [COMMENT '…'] [SECURITY DEFINER|INVOKER] AS query.
	CreateView struct {
		At
		Replace  bool
		Name     []Ident
		Columns  []Ident
		Comment  *string
		Security string // "definer", "invoker" or ""; a lake knows one user only, so that it means nothing
		Query    *Query
		Source   string // the statement as it is written
	}
	// Drop is DROP VIEW|TABLE [IF EXISTS] name.
	Drop struct {
		At
		View     bool
		IfExists bool
		Name     []Ident
	}
	// CreateTableAs is CREATE TABLE [IF NOT EXISTS] name [COMMENT '…'] [WITH (properties)] AS query [WITH NO DATA].
	CreateTableAs struct {
		At
		IfNotExists bool
		Name        []Ident
		Comment     *string
		Properties  []Property
		Query       *Query
		NoData      bool
	}
	// Unload is UNLOAD (query) TO 'location' [WITH (properties)].
	Unload struct {
		At
		Query      *Query
		Location   Text
		Properties []Property
	}
	// CreateExternal is CREATE EXTERNAL TABLE as Athena has it from Hive.
	CreateExternal struct {
		At
		IfNotExists  bool
		Name         []Ident
		Columns      []ColumnDef
		Comment      *string
		Partitions   []ColumnDef
		Serde        *Text      // ROW FORMAT SERDE
		Serdes       []TextPair // WITH SERDEPROPERTIES
		Delimited    bool       // ROW FORMAT DELIMITED
		Delimiters   []TextPair // of it: keys "fields", "escape", "items", "keys", "lines", "null"
		StoredAs     string     // lower case, "" if it is not said
		StoredAsAt   At
		InputFormat  *Text // STORED AS INPUTFORMAT … OUTPUTFORMAT …
		OutputFormat *Text
		Location     Text
		Properties   []TextPair // TBLPROPERTIES
		Source       string     // the statement as it is written
	}
	// ColumnDef is a column of CREATE EXTERNAL TABLE.
	ColumnDef struct {
		Name    Ident
		Type    sqltype.Type
		Comment *string
	}
	// Property is name = value in WITH (…) of CREATE TABLE AS and UNLOAD; the name is lower case.
	Property struct {
		At
		Name  string
		Value Expr
	}
	// Text is a string with its place.
	Text struct {
		At
		Value string
	}
	// TextPair is 'key' = 'value'.
	TextPair struct{ Key, Value Text }
)

func (*CreateView) statement()     {}
func (*Drop) statement()           {}
func (*CreateTableAs) statement()  {}
func (*Unload) statement()         {}
func (*CreateExternal) statement() {}
