package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"giftcards/store/text"
)

const ourPrefix = "GIFTCARDS_"

// secretVariables are settings that are not flags.
var secretVariables = []string{demoVariable, smtpPasswordVariable, smsTokenVariable}

// otherVariables begin like settings but configure the tests and the clients in openapi/.
var otherVariables = []string{
	"GIFTCARDS_TEST_DATABASE_URL", "GIFTCARDS_TEST_HELPER", "GIFTCARDS_UPGRADE_FROM", "GIFTCARDS_PROXY",
	"GIFTCARDS_URL", "GIFTCARDS_USERNAME", "GIFTCARDS_PASSWORD", "GIFTCARDS_MERCHANT", "GIFTCARDS_MERCHANT_ID",
	"GIFTCARDS_PROGRAM", "GIFTCARDS_PROGRAM_ID", "GIFTCARDS_FOREIGN_PROGRAM",
}

// serviceVariable matches the variables that Kubernetes adds to every container of a
// namespace with a service called giftcards or giftcards-something.
var serviceVariable = regexp.MustCompile(`^GIFTCARDS(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// checkVariables notes variables with our prefix that are not settings. Otherwise a
// misspelt setting, perhaps one of security, would be ignored silently.
func checkVariables(root *kong.Node, environment []string, f faults) {
	settings := append(settingVariables(root), secretVariables...)
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, ourPrefix) || slices.Contains(settings, name) || slices.Contains(otherVariables, name) || serviceVariable.MatchString(name) {
			continue
		}
		f[name] = "there is no such setting"
		if meant := text.Nearest(name, settings, 3); meant != "" {
			f[name] += fmt.Sprintf(", did you mean %s?", meant)
		}
	}
}

// settingVariables returns the variables of all flags of all commands.
func settingVariables(node *kong.Node) (names []string) {
	for _, flag := range node.Flags {
		names = append(names, flag.Envs...)
	}
	// Commands may have flags with variables of their own, such as migrate's.
	for _, child := range node.Children {
		names = append(names, settingVariables(child)...)
	}
	return names
}
