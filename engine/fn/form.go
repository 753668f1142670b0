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
	{
		Name: "reduce_agg", Category: "aggregate", Sig: "(T, S, function(S, T, S), function(S, S, S)) -> S",
		Doc: "A state that goes through the values that are not NULL: the first lambda makes the next state of a state and a value, the second joins " +
			"two states. NULL if there are no values.",
		Example: "reduce_agg(x, 0, (s, x) -> s + x, (s, t) -> s + t) FROM (VALUES 1, 2, 3) t (x) → 6",
	},
	{
		Name: "json_exists", Category: jsons, Sig: "(varchar, path [PASSING any AS name, ...] [TRUE | FALSE | UNKNOWN | ERROR ON ERROR]) -> boolean",
		Doc: "Whether a path of SQL's language (lax or strict) finds something in JSON text. What fails, as text that is no JSON, is false " +
			"unless ON ERROR says otherwise.",
		Example: `json_exists('{"a": [1, 5]}', 'lax $.a[*]?(@ > 3)') → true`,
	},
	{
		Name: "json_value", Category: jsons,
		Sig: "(varchar, path [PASSING any AS name, ...] [RETURNING type] [NULL | ERROR | DEFAULT any ON EMPTY] [NULL | ERROR | DEFAULT any ON ERROR]) -> varchar",
		Doc: "The string, number or boolean that a path of SQL's language finds in JSON text. NULL where it finds nothing, several values, an array " +
			"or an object, or fails, unless ON EMPTY or ON ERROR say otherwise.",
		Example: `json_value('{"a": {"b": 7}}', 'lax $.a.b' RETURNING bigint) → 7`,
	},
	{
		Name: "json_query", Category: jsons,
		Sig: "(varchar, path [PASSING any AS name, ...] [RETURNING type] [WITHOUT | WITH [CONDITIONAL] ARRAY WRAPPER] [KEEP | OMIT QUOTES] " +
			"[NULL | ERROR | EMPTY ARRAY | EMPTY OBJECT ON EMPTY] [… ON ERROR]) -> varchar",
		Doc: "The JSON that a path of SQL's language finds in JSON text, as text. NULL where it finds nothing, several values without a wrapper, or fails, " +
			"unless ON EMPTY or ON ERROR say otherwise.",
		Example: `json_query('{"a": [1, 5]}', 'lax $.a[*]' WITH ARRAY WRAPPER) → '[1,5]'`,
	},
	{
		Name: "json_array", Category: jsons, Sig: "(any, ... [NULL | ABSENT ON NULL] [RETURNING type]) -> varchar",
		Doc:     "JSON text of an array of the values; NULL is left out, unless NULL ON NULL is said. FORMAT JSON behind a value takes it as JSON.",
		Example: `json_array(1, 'a', true) → '[1,"a",true]'`,
	},
	{
		Name: "json_object", Category: jsons, Sig: "(varchar : any, ... [NULL | ABSENT ON NULL] [RETURNING type]) -> varchar",
		Doc:     "JSON text of an object of keys and values, also written KEY k VALUE v; NULL is null, unless ABSENT ON NULL is said.",
		Example: `json_object('a' : 1, KEY 'b' VALUE 'x') → '{"a":1,"b":"x"}'`,
	},
}

// Forms returns every form in the order of the manual.
func Forms() []Form { return slices.Clone(forms) }
