package fn

import (
	"runtime/debug"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// A catalog of relations has no names of its own for itself and for the schema of names without one; these are Athena's.
const (
	CatalogName   = "awsdatacatalog"
	DefaultSchema = "default"
)

const sessions = "session"

var sessionFunctions = []*Function{
	{
		Name: "version", Category: sessions,
		Doc:       "The version of trailql.",
		Example:   "version() LIKE 'trailql %' → true",
		Overloads: []Overload{{Sig: "() -> varchar", Eval: func(c *Call) (arrow.Array, error) { return constant(c, "trailql "+Version()) }}},
	},
	{
		Name: "current_catalog", Category: sessions,
		Doc:       "The name of the catalog: there is one, by Athena's name.",
		Example:   "current_catalog → 'awsdatacatalog'",
		Overloads: []Overload{{Sig: "() -> varchar", Eval: func(c *Call) (arrow.Array, error) { return constant(c, CatalogName) }}},
	},
	{
		Name: "current_schema", Category: sessions, Clock: true,
		Doc:     "The schema of names that are written without one.",
		Example: "current_schema → 'default'",
		Overloads: []Overload{{Sig: "() -> varchar", Eval: func(c *Call) (arrow.Array, error) {
			if c.Session.Schema == "" {
				return constant(c, DefaultSchema)
			}
			return constant(c, c.Session.Schema)
		}}},
	},
	{
		Name: "current_user", Category: sessions, Clock: true,
		Doc:     "Who asks, as the history of queries has it; NULL where nobody is told from another.",
		Example: "current_user IS NULL → true",
		Overloads: []Overload{{Sig: "() -> varchar", Eval: func(c *Call) (arrow.Array, error) {
			if c.Session.User == "" {
				return vec.Nulls(sqltype.VarcharType, c.Len), nil
			}
			return constant(c, c.Session.User)
		}}},
	},
}

// Version is that of the program's module, as the Go toolchain noted it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(development)"
	}
	return info.Main.Version
}
