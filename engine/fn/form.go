package fn

import "slices"

// Form is what looks like a function but is bound by rules of its own: arguments that are not always evaluated, words between them.
type Form struct {
	Name     string // lower case
	Category string
	Sig      string // for people: "(T, T...) -> T"
	Doc      string
	Example  string
}

var forms = []Form{
	{
		Name: "coalesce", Category: conditions, Sig: "(T, T...) -> T",
		Doc:     "The first argument that is not NULL; those behind it are not evaluated.",
		Example: "coalesce(NULL, 'a', 'b') → 'a'",
	},
	{
		Name: "if", Category: conditions, Sig: "(boolean, T, T) -> T",
		Doc:     "The second argument where the condition is true, else the third, or NULL if there is none; the other is not evaluated.",
		Example: "if(1 < 2, 'yes', 'no') → 'yes'",
	},
	{
		Name: "nullif", Category: conditions, Sig: "(T, U) -> T",
		Doc:     "NULL if both arguments are equal, else the first one.",
		Example: "nullif('a', 'a') → NULL",
	},
	{
		Name: "try", Category: conditions, Sig: "(T) -> T",
		Doc:     "The argument, or NULL where it fails: a division by zero, a cast of a value that does not fit, an argument that a function refuses.",
		Example: "try(1 / 0) → NULL",
	},
	{
		Name: "grouping", Category: "aggregate", Sig: "(any...) -> bigint",
		Doc:     "A bit for each column of GROUP BY, the last the lowest: 1 where it is not grouped by in the grouping set at hand.",
		Example: "grouping(x) FROM (VALUES 1) t (x) GROUP BY x → 0",
	},
}

// Forms returns every form in the order of the manual.
func Forms() []Form { return slices.Clone(forms) }
