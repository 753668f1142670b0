package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/external"
)

// rootsFlag adds --root.
func rootsFlag(c *cobra.Command) *[]string {
	return c.Flags().StringArray("root", nil, "`NAME=FOLDER` that statements may read files in, and write to, as 'NAME/path'; may be repeated")
}

// openRoots opens the folders of --root. None may hold the lake or be part of it: its files are changed by "trailql compact" only.
func openRoots(given []string, lake string) (external.Roots, error) {
	full, err := filepath.Abs(lake)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		full = lake // the lake's own error comes when it is opened
	}
	var roots external.Roots
	for _, text := range given {
		name, dir, ok := strings.Cut(text, "=")
		if !ok || dir == "" {
			return nil, usage("--root %s: write NAME=FOLDER", text)
		}
		root, err := external.OpenRoot(name, dir)
		if err != nil {
			return nil, usage("--%w", err)
		}
		if slices.ContainsFunc(roots, func(r external.Root) bool { return r.Name == name }) {
			return nil, usage("--root %s is there twice", name)
		}
		if !blob.Remote(lake) && (within(root.Dir, full) || within(full, root.Dir)) {
			return nil, usage("--root %s: neither may %s be in the lake, nor the lake in it", name, dir)
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// within reports whether a path is a folder or below it.
func within(path, folder string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(relative)
}
