package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// databaseSettings choose the database of a command.
var databaseSettings = []string{"database-url", "database-statements", "state-dir", "postgres-bin", "maven-mirror"}

// deliverySettings choose how messages look and leave.
var deliverySettings = []string{
	"smtp-url", "smtp-password-file", "smtp-helo", "mail-from", "mail-bounces", "dkim-key-file", "dkim-selector",
	"sms-url", "sms-account", "sms-token-file", "sms-from", "template-dir", "language-dir",
}

// settingsOf are the settings that a command, or all commands with the same first word, use beside
// their own flags. serve uses all settings, and a command that is not listed databaseSettings.
var settingsOf = map[string][]string{
	"cards print":   append([]string{"keys-file", "language-dir"}, databaseSettings...),
	"demo":          append([]string{"listen", "base-url", "tls-cert", "tls-key"}, databaseSettings...),
	"health":        {"listen", "tls-cert", "tls-key"},
	"keys":          append([]string{"keys-file", "token-lifetime", "link-lifetime"}, databaseSettings...),
	"licences":      {},
	"messages test": append([]string{"state-dir"}, deliverySettings...),
	"version":       {},
}

// printHelp is kong's help without the settings that the command does not use.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if command := ctx.Selected(); command != nil && command.Name != "serve" {
		used := settingsUsed(command)
		for _, flag := range ctx.Model.Flags {
			if flag.Name != "help" && !slices.Contains(used, flag.Name) {
				flag.Hidden = true
			}
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

func settingsUsed(command *kong.Node) []string {
	words := []string{command.Name}
	for ; command.Parent != nil && command.Parent.Type != kong.ApplicationNode; command = command.Parent {
		words = slices.Insert(words, 0, command.Parent.Name)
	}
	for _, name := range []string{strings.Join(words, " "), words[0]} {
		if settings, listed := settingsOf[name]; listed {
			return settings
		}
	}
	return databaseSettings
}
