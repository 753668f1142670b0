// Package sql turns text of the Athena (Trino) dialect into a syntax tree with
// positions, and back into text.
package sql

import "github.com/trailql/trailql/engine/sqlerr"

// Node is any part of the tree. Pos is where it begins in the text.
type Node interface{ Pos() sqlerr.Pos }

// At is embedded in every node.
type At struct{ At sqlerr.Pos }

// Pos returns the place.
func (a At) Pos() sqlerr.Pos { return a.At }

// Ident is a name as written; matching ignores case either way, Quoted is kept for printing.
type Ident struct {
	At
	Name   string
	Quoted bool
}

// Statement is one of: *Query, *Explain, *ShowTables, *ShowColumns, *ShowFunctions, *ShowSchemas, *ShowCreate, *ShowPartitions, *ShowStats, *ShowCoverage,
// *CreateView, *Drop, *CreateTableAs, *Unload, *CreateExternal, and those of a session.
type Statement interface {
	Node
	statement()
}

// Query is [WITH …] body [ORDER BY …] [OFFSET …] [LIMIT … | FETCH FIRST …].
type Query struct {
	At
	With    *With
	Body    QueryBody
	OrderBy []OrderItem
	Offset  Expr // nil: none
	Limit   Expr // nil: none; *Null for LIMIT ALL
	Ties    bool // FETCH FIRST … WITH TIES
}

// With is a list of common table expressions.
type With struct {
	At
	Recursive bool
	CTEs      []CTE
}

// CTE is name [(columns)] AS (query).
type CTE struct {
	At
	Name    Ident
	Columns []Ident
	Query   *Query
}

// QueryBody is one of: *Select, *SetOp, *ValuesBody, *TableBody, *Query (in parentheses).
type QueryBody interface {
	Node
	queryBody()
}

// Select is SELECT [DISTINCT] items [FROM …] [WHERE …] [GROUP BY …] [HAVING …] [WINDOW …].
type Select struct {
	At
	Distinct bool
	Items    []SelectItem
	From     []TableExpr // comma-separated: cross join, left to right
	Where    Expr
	GroupBy  []GroupItem
	// GroupDistinct drops grouping sets that are there already: GROUP BY DISTINCT.
	GroupDistinct bool
	Having        Expr
	Windows       []NamedWindow
}

// SelectItem is an expression with an alias, or Star with an optional prefix (t.*, useridentity.*).
type SelectItem struct {
	At
	Expr  Expr // nil for a bare *; the prefix for x.*
	Star  bool
	Alias *Ident
	// StarAliases are the names in (expr).* AS (a, b).
	StarAliases []Ident
}

// GroupItem is a plain expression or a grouping element.
type GroupItem struct {
	At
	Kind GroupKind
	Expr Expr     // Plain
	Sets [][]Expr // GroupingSets: each set; Rollup and Cube: one entry per element
}

// GroupKind is the form of a GroupItem.
type GroupKind uint8

const (
	Plain GroupKind = iota
	GroupingSets
	Rollup
	Cube
)

// SetKind is the operator of a SetOp.
type SetKind uint8

const (
	UnionOp SetKind = iota
	IntersectOp
	ExceptOp
)

// SetOp combines two bodies; All keeps duplicates.
type SetOp struct {
	At
	Kind        SetKind
	All         bool
	Left, Right QueryBody
}

// ValuesBody is VALUES row, …; a row of several columns is a *RowExpr.
type ValuesBody struct {
	At
	Rows []Expr
}

// TableBody is TABLE name.
type TableBody struct {
	At
	Name []Ident
}

// OrderItem is an expression with a direction.
type OrderItem struct {
	At
	Expr       Expr
	Desc       bool
	NullsFirst bool
	NullsSet   bool // NULLS FIRST or LAST was written
}

// TableExpr is one of: *TableName, *SubqueryTable, *UnnestTable, *JoinTable, *LateralTable, *TableFunction. Aliased wraps any, Sampled any of them.
type TableExpr interface {
	Node
	tableExpr()
}

// TableName is a name of one to three parts, with AsOf as the table was: FOR VERSION AS OF expression, or FOR TIMESTAMP AS OF.
type TableName struct {
	At
	Name []Ident
	AsOf Expr // nil: as it is
	Time bool // AsOf is a time
}

// SubqueryTable is (query).
type SubqueryTable struct {
	At
	Query *Query
}

// LateralTable is LATERAL (query).
type LateralTable struct {
	At
	Query *Query
}

// TableFunction is TABLE(name(args)), or name(args) alone.
type TableFunction struct {
	At
	Name []Ident
	Args []Expr
}

// UnnestTable is UNNEST(…) [WITH ORDINALITY].
type UnnestTable struct {
	At
	Exprs      []Expr
	Ordinality bool
}

// Aliased is table [AS] alias [(columns)].
type Aliased struct {
	At
	Table   TableExpr
	Alias   Ident
	Columns []Ident
}

// Sampled is table TABLESAMPLE BERNOULLI|SYSTEM (percent).
type Sampled struct {
	At
	Table   TableExpr
	System  bool
	Percent Expr
}

// JoinType is the kind of a join.
type JoinType uint8

const (
	Inner JoinType = iota
	Left
	Right
	Full
	CrossType
)

// JoinTable is left JOIN right, ON or USING or NATURAL.
type JoinTable struct {
	At
	Type        JoinType
	Natural     bool
	Left, Right TableExpr
	On          Expr
	Using       []Ident
}

// Expr is an expression.
type Expr interface {
	Node
	expr()
}

type (
	// Name is an identifier in an expression: a column, a table (in t.x), a lambda's parameter.
	Name struct {
		At
		Ident Ident
	}
	// Dot is base.field: a qualified column, a row field, a JSON key; binding decides.
	Dot struct {
		At
		Base  Expr
		Field Ident
	}
	// Subscript is base[index].
	Subscript struct {
		At
		Base, Index Expr
	}
	// Null is NULL.
	Null struct{ At }
	// Bool is TRUE or FALSE.
	Bool struct {
		At
		Value bool
	}
	// Str is '…'.
	Str struct {
		At
		Value string
	}
	// Num keeps its text: 1, 1.5, 1e3.
	Num struct {
		At
		Text string
	}
	// Bin is X'…'.
	Bin struct {
		At
		Value []byte
	}
	// TypedLiteral is DATE '…', TIMESTAMP '…', TIME '…', DECIMAL '…', JSON '…' and any other type name before a string.
	TypedLiteral struct {
		At
		Type  TypeName
		Value string
	}
	// Interval is INTERVAL [-] '…' unit [TO unit].
	Interval struct {
		At
		Negative bool
		Value    string
		From, To string // units, lower case; To may be ""
	}
	// Unary is -x, +x or NOT x; Op is "-", "+", "not".
	Unary struct {
		At
		Op  string
		Arg Expr
	}
	// Binary is left op right; Op is one of + - * / % || = <> < <= > >= and or
	// "is distinct from", "is not distinct from". != is read as <>.
	Binary struct {
		At          // of the operator
		Op          string
		Left, Right Expr
	}
	// Quantified is left op ALL|ANY|SOME (query); Quantifier is "all" or "any".
	Quantified struct {
		At
		Op         string
		Quantifier string
		Left       Expr
		Query      *Query
	}
	// IsNullExpr is arg IS [NOT] NULL.
	IsNullExpr struct {
		At
		Arg Expr
		Not bool
	}
	// Between is arg [NOT] BETWEEN low AND high.
	Between struct {
		At
		Arg, Low, High Expr
		Not            bool
	}
	// InList is arg [NOT] IN (list).
	InList struct {
		At
		Arg  Expr
		List []Expr
		Not  bool
	}
	// InQuery is arg [NOT] IN (query).
	InQuery struct {
		At
		Arg   Expr
		Query *Query
		Not   bool
	}
	// Like is arg [NOT] LIKE pattern [ESCAPE escape].
	Like struct {
		At
		Arg, Pattern, Escape Expr
		Not                  bool
	}
	// Exists is EXISTS (query).
	Exists struct {
		At
		Query *Query
	}
	// ScalarQuery is (query) as a value.
	ScalarQuery struct {
		At
		Query *Query
	}
	// CaseExpr is CASE [operand] WHEN … THEN … [ELSE …] END.
	CaseExpr struct {
		At
		Operand Expr
		Whens   []WhenClause
		Else    Expr
	}
	// CastExpr is CAST(arg AS type) or TRY_CAST.
	CastExpr struct {
		At
		Arg  Expr
		Type TypeName
		Try  bool
	}
	// Func is name([DISTINCT] args [ORDER BY …] [ON OVERFLOW …]) [FILTER (WHERE …)] [IGNORE NULLS] [OVER …]. count(*) has Star.
	// IF, TRY, COALESCE, NULLIF are Funcs. Forms without parentheses (current_date, current_timestamp, localtime …) have NoParens.
	Func struct {
		At
		Name        []Ident
		Args        []Expr
		Star        bool
		Distinct    bool
		OrderBy     []OrderItem
		Truncate    *Truncate // of listagg
		Filter      Expr
		IgnoreNulls bool
		Over        *Window
		NoParens    bool
	}
	// Extract is EXTRACT(field FROM arg).
	Extract struct {
		At
		Field string // lower case
		Arg   Expr
	}
	// AtTimeZone is arg AT TIME ZONE zone.
	AtTimeZone struct {
		At
		Arg, Zone Expr
	}
	// Lambda is x -> body, (x, y) -> body.
	Lambda struct {
		At
		Params []Ident
		Body   Expr
	}
	// JSONFunc is JSON_EXISTS, JSON_VALUE or JSON_QUERY (input, 'path' …).
	JSONFunc struct {
		At
		Name       string // "exists", "value", "query"
		Input      Expr
		Path       string
		PathAt     At
		Passing    []JSONArg
		Returning  *TypeName
		Wrapper    string // of query: "", "conditional", "unconditional"
		OmitQuotes bool   // of query
		OnEmpty    *JSONOn
		OnError    *JSONOn
	}
	// JSONOn is … ON EMPTY or … ON ERROR.
	JSONOn struct {
		Action  string // "null", "error", "default", "empty array", "empty object", "true", "false", "unknown"
		Default Expr   // of "default"
	}
	// JSONArg is a value [FORMAT JSON], with AS name where it is passed to a path.
	JSONArg struct {
		Value      Expr
		FormatJSON bool
		Name       *Ident
	}
	// JSONMake is JSON_ARRAY or JSON_OBJECT (…).
	JSONMake struct {
		At
		Object    bool
		Keys      []Expr // of an object, as many as values
		Values    []JSONArg
		Absent    bool // ABSENT ON NULL, the default of an array
		Unique    bool // WITH UNIQUE KEYS
		Returning *TypeName
	}
	// ArrayExpr is ARRAY[…].
	ArrayExpr struct {
		At
		Elems []Expr
	}
	// RowExpr is ROW(…) or (a, b).
	RowExpr struct {
		At
		Elems []Expr
	}
	// Param is ?.
	Param struct {
		At
		Index int
	}
)

// Truncate is ON OVERFLOW TRUNCATE ['filler'] WITH|WITHOUT COUNT.
type Truncate struct {
	Filler *string
	Count  bool
}

// WhenClause is WHEN cond THEN then.
type WhenClause struct{ Cond, Then Expr }

// TypeName is a type as written: name lower case ("varchar", "timestamp with time zone"), numbers in parentheses,
// nested types for array, map and row; FieldNames go with row.
type TypeName struct {
	At
	Name       string
	Params     []int
	Args       []TypeName
	FieldNames []string // "" where a row field has no name
}

// Window is OVER name or OVER (…).
type Window struct {
	At
	Name        string
	PartitionBy []Expr
	OrderBy     []OrderItem
	Frame       *Frame
}

// NamedWindow is an entry of the WINDOW clause.
type NamedWindow struct {
	Name   Ident
	Window Window
}

// Frame is ROWS|RANGE|GROUPS BETWEEN start AND end.
type Frame struct {
	At
	Unit       string // "rows", "range", "groups"
	Start, End FrameBound
}

// FrameBound is a bound of a frame: Kind is "unbounded preceding", "preceding", "current row", "following", "unbounded following".
type FrameBound struct {
	Kind  string
	Value Expr
}

// Statements.
type (
	// Explain is EXPLAIN [ANALYZE] [(FORMAT JSON | TYPE VALIDATE)] statement.
	Explain struct {
		At
		Analyze   bool
		JSON      bool
		Validate  bool
		Statement Statement
	}
	// ShowPattern is LIKE 'pattern' [ESCAPE 'character'] of SHOW; a bare pattern, as in Hive, counts as LIKE.
	ShowPattern struct{ Pattern, Escape string }
	// ShowTables is SHOW TABLES|VIEWS [FROM|IN schema] [LIKE pattern].
	ShowTables struct {
		At
		Views  bool
		Schema []Ident
		Like   *ShowPattern
	}
	// ShowSchemas is SHOW SCHEMAS|DATABASES [FROM|IN catalog] [LIKE pattern] or SHOW CATALOGS [LIKE pattern].
	ShowSchemas struct {
		At
		Catalogs bool
		Catalog  *Ident
		Like     *ShowPattern
	}
	// ShowCreate is SHOW CREATE TABLE|VIEW name.
	ShowCreate struct {
		At
		View bool
		Name []Ident
	}
	// ShowPartitions is SHOW PARTITIONS table.
	ShowPartitions struct {
		At
		Table []Ident
	}
	// ShowStats is SHOW STATS FOR table or (query); a table is read as (TABLE table).
	ShowStats struct {
		At
		Query *Query
	}
	// ShowCoverage is SHOW COVERAGE [WHERE condition], a summary of trail_coverage, whose columns the condition may name.
	ShowCoverage struct {
		At
		Where Expr
	}
	// ShowColumns is SHOW COLUMNS FROM|IN table [LIKE pattern], DESCRIBE table or DESC table.
	ShowColumns struct {
		At
		Table []Ident
		Like  *ShowPattern
	}
	// ShowFunctions is SHOW FUNCTIONS [LIKE pattern].
	ShowFunctions struct {
		At
		Like *ShowPattern
	}
)

func (*Query) statement()          {}
func (*Explain) statement()        {}
func (*ShowTables) statement()     {}
func (*ShowColumns) statement()    {}
func (*ShowFunctions) statement()  {}
func (*ShowSchemas) statement()    {}
func (*ShowCreate) statement()     {}
func (*ShowPartitions) statement() {}
func (*ShowStats) statement()      {}
func (*ShowCoverage) statement()   {}

func (*Query) queryBody()      {}
func (*Select) queryBody()     {}
func (*SetOp) queryBody()      {}
func (*ValuesBody) queryBody() {}
func (*TableBody) queryBody()  {}

func (*TableName) tableExpr()     {}
func (*SubqueryTable) tableExpr() {}
func (*LateralTable) tableExpr()  {}
func (*UnnestTable) tableExpr()   {}
func (*TableFunction) tableExpr() {}
func (*Aliased) tableExpr()       {}
func (*JoinTable) tableExpr()     {}
func (*Sampled) tableExpr()       {}

func (*Name) expr()         {}
func (*Dot) expr()          {}
func (*Subscript) expr()    {}
func (*Null) expr()         {}
func (*Bool) expr()         {}
func (*Str) expr()          {}
func (*Num) expr()          {}
func (*Bin) expr()          {}
func (*TypedLiteral) expr() {}
func (*Interval) expr()     {}
func (*Unary) expr()        {}
func (*Binary) expr()       {}
func (*Quantified) expr()   {}
func (*IsNullExpr) expr()   {}
func (*Between) expr()      {}
func (*InList) expr()       {}
func (*InQuery) expr()      {}
func (*Like) expr()         {}
func (*Exists) expr()       {}
func (*ScalarQuery) expr()  {}
func (*CaseExpr) expr()     {}
func (*CastExpr) expr()     {}
func (*Func) expr()         {}
func (*Extract) expr()      {}
func (*JSONFunc) expr()     {}
func (*JSONMake) expr()     {}
func (*AtTimeZone) expr()   {}
func (*Lambda) expr()       {}
func (*ArrayExpr) expr()    {}
func (*RowExpr) expr()      {}
func (*Param) expr()        {}
