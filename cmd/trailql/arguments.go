package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/engine/sqlerr"
)

// arguments refuses other numbers of arguments than least to most (negative: any number), saying how the command is written.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		if len(args) > most && most == 0 {
			return usage("%s takes no argument; found %q", c.CommandPath(), args[0])
		}
		return usage("write it like: %s", strings.TrimSuffix(c.UseLine(), " [flags]"))
	}
}

// oneOf is for a command that only holds others: an argument is the name of one that is not there.
func oneOf(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	hint := "there are " + strings.Join(names, ", ")
	if near := sqlerr.Nearest(args[0], names); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return usage("%s has no command %q; %s", c.CommandPath(), args[0], hint)
}

// which is what such a command does by itself.
func which(c *cobra.Command, _ []string) error {
	return usage("%s what? name a command", c.Name())
}
