package source

// Macro is a function that the catalog defines by SQL. A call is bound as the text with the arguments in place of the parameters, so that
// filters and pruning go through it. The text reads no clock and draws no chance, and no function of the engine has the name.
type Macro struct {
	Name   string   // lower case
	Params []string // lower case; within the text they hide columns of the same name
	SQL    string   // an expression over the parameters alone, or for a Table a query
	// Table: it stands in FROM, and its arguments are constants.
	Table  bool
	Hidden []string // of a Table: output columns that * leaves out

	// For people, as in fn.Form: the manual's chapter, "(varchar) -> varchar", what it does, and an example with its result.
	Category, Sig, Doc, Example string
}
