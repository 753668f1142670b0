package fn

import (
	"cmp"
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

// Qualified puts the schema of the session, and its catalog, before a name without them. The default ones stay away, so that a catalog may
// choose what a bare name means.
func (s *Session) Qualified(name []string) []string {
	if len(name) == 1 && s.Schema != "" && s.Schema != DefaultSchema {
		name = []string{s.Schema, name[0]}
	}
	if len(name) == 2 && s.Catalog != "" && s.Catalog != CatalogName {
		name = []string{s.Catalog, name[0], name[1]}
	}
	return name
}

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
		Overloads: []Overload{{Sig: "() -> varchar", Eval: func(c *Call) (arrow.Array, error) { return constant(c, cmp.Or(c.Session.Catalog, CatalogName)) }}},
	},
	{
		Name: "current_schema", Category: sessions,
		Doc:     "The schema of names that are written without one: the one that USE set.",
		Example: "current_schema → 'default'",
		Overloads: []Overload{{Sig: "() -> varchar", Eval: func(c *Call) (arrow.Array, error) {
			return constant(c, cmp.Or(c.Session.Schema, DefaultSchema))
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
