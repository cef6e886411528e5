package main

import (
	"slices"

	"github.com/alecthomas/kong"
)

// databaseSettings choose the database of a command.
var databaseSettings = []string{"database-url", "database-statements", "state-dir", "postgres-bin", "maven-mirror"}

// settingsOf are the settings that a command uses beside its own flags. serve uses all
// settings, and a command that is not listed uses databaseSettings.
var settingsOf = map[string][]string{
	"demo":    append([]string{"listen", "base-url", "tls-cert", "tls-key"}, databaseSettings...),
	"keys":    append([]string{"keys-file", "token-lifetime", "link-lifetime"}, databaseSettings...),
	"health":  {"listen", "tls-cert", "tls-key"},
	"version": {},
}

// printHelp is kong's help without the settings that the command does not use.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	command := ctx.Selected()
	// The settings depend on the first word, such as user in user create.
	for command != nil && command.Parent != nil && command.Parent.Type != kong.ApplicationNode {
		command = command.Parent
	}
	if command != nil && command.Name != "serve" {
		used, special := settingsOf[command.Name]
		if !special {
			used = databaseSettings
		}
		for _, flag := range ctx.Model.Flags {
			if flag.Name != "help" && !slices.Contains(used, flag.Name) {
				flag.Hidden = true
			}
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}
