package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/catalog"
)

func ddlCommand() *cobra.Command {
	c := &cobra.Command{
		Use:       "ddl athena|trino|spark",
		Short:     "print the statements that make the lake known to another engine",
		ValidArgs: catalog.Engines,
		Long: `Prints SQL for Athena, Trino or Spark that registers the lake's tables where they stand, and makes the views
cloudtrail_logs and cloudtrail_lake over them. Nothing is copied: the tables are Delta Lake tables, and what
trailql compact adds later is seen there at once.

  trailql lake ddl athena --location s3://my-bucket/lake
  trailql lake ddl trino --location s3://my-bucket/lake --catalog delta --schema audit | trino --file /dev/stdin
  trailql lake ddl spark --lake /data/lake`,
		Args: arguments(1, 1),
	}
	lake := lakeFlag(c)
	location := c.Flags().String("location", "", "`URL` of the lake as the engine reaches it; by default that of --lake")
	name := c.Flags().String("catalog", "delta", "Trino's catalog of the Delta Lake connector")
	schema := c.Flags().String("schema", "trailql", "schema of the tables and views")
	c.RunE = func(c *cobra.Command, args []string) error {
		if !slices.Contains(catalog.Engines, args[0]) {
			return usage("there are statements for %s, not for %s", strings.Join(catalog.Engines, ", "), args[0])
		}
		if *location == "" {
			*location = *lake
			if !strings.Contains(*lake, "://") {
				full, err := filepath.Abs(*lake)
				if err != nil {
					return err
				}
				*location = "file://" + filepath.ToSlash(full)
			}
		}
		text, err := catalog.DDL(catalog.Registration{Engine: args[0], Location: *location, Catalog: *name, Schema: *schema})
		if err != nil {
			return usage("%w", err)
		}
		_, err = c.OutOrStdout().Write([]byte(text))
		return err
	}
	return c
}
