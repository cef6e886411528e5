package sandbox

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// parameter is something that a client may choose about a state.
type parameter struct {
	name  string
	kind  string // one of the kinds below
	value string // the default, "" for none
	about string
}

// The kinds of parameters. Each value may be sent as a JSON string, and a flag or a number also
// as such.
const (
	amountKind = "amount" // a decimal such as 25.00, as a string or a number
	countKind  = "count"  // a whole number above 0
	timeKind   = "time"   // RFC 3339 with a zone
	flagKind   = "flag"   // true or false
	textKind   = "text"
)

// mostCounted bounds each count, so that no state takes longer than a few seconds.
const mostCounted = 1000

const mostTextLength = 255

// patterns match a value of each kind in the name of a state.
var patterns = map[string]string{amountKind: `[0-9]+(?:\.[0-9]+)?`, countKind: `[0-9]+`, timeKind: `[0-9T:.Z+-]+`, flagKind: `true|false`, textKind: `.+`}

var wholeAmount = regexp.MustCompile(`^` + patterns[amountKind] + `$`)

// read returns a parameter's value as a text, and "" for null. It fails with a sentence for the
// client if the value is not of the parameter's kind.
func (p parameter) read(sent any) (string, error) {
	var value string
	switch sent := sent.(type) {
	case nil:
		return "", nil
	case string:
		value = sent
	// decodeBody keeps a number as it was sent, so 25.00 does not become 25.
	case json.Number:
		value = sent.String()
	case bool:
		value = strconv.FormatBool(sent)
	default:
		return "", p.refuse()
	}
	if fits := p.fits(value); !fits {
		return "", p.refuse()
	}
	return value, nil
}

func (p parameter) fits(value string) bool {
	switch p.kind {
	case amountKind:
		return len(value) <= mostTextLength && wholeAmount.MatchString(value)
	case countKind:
		n, err := strconv.Atoi(value)
		return err == nil && n >= 1 && n <= mostCounted
	case timeKind:
		_, err := time.Parse(time.RFC3339, value)
		return err == nil
	case flagKind:
		return value == "true" || value == "false"
	}
	return utf8.RuneCountInString(value) <= mostTextLength
}

// refuse is the refusal of a value.
func (p parameter) refuse() error {
	want := map[string]string{
		amountKind: "an amount such as 25.00",
		countKind:  fmt.Sprintf("a whole number from 1 to %d", mostCounted),
		timeKind:   "a time with its zone such as 2028-02-29T23:59:59Z",
		flagKind:   "true or false",
		textKind:   fmt.Sprintf("a text of %d characters at most", mostTextLength),
	}[p.kind]
	return badRequest(p.name + " must be " + want)
}

// parameters returns the parameters that a list names: "amount=25.00 email" is an amount with
// a default, and an e-mail address.
func parameters(list string) []parameter {
	var all []parameter
	for name := range strings.FieldsSeq(list) {
		name, value, _ := strings.Cut(name, "=")
		p, ok := parametersByName[name]
		if !ok {
			panic("no parameter " + name)
		}
		p.name, p.value = name, value
		all = append(all, p)
	}
	return all
}

// parametersByName has the kind and the description of each parameter.
var parametersByName = map[string]parameter{
	"world":        {kind: textKind, about: "The world's name. The world is made if it does not exist. Default: the consumer's name, with hyphens in place of characters that a name must not have."},
	"program":      {kind: textKind, about: "The name or the id of a program of the world. Default: the world's first one."},
	"amount":       {kind: amountKind, about: "The value of each card."},
	"redeemed":     {kind: amountKind, about: "What was redeemed."},
	"email":        {kind: textKind, about: "The recipient's e-mail address."},
	"phone":        {kind: textKind, about: "The recipient's telephone number."},
	"customerName": {kind: textKind, about: "The recipient's name."},
	"physical":     {kind: flagKind, about: "Whether the card is printed."},
	"expiresAt":    {kind: timeKind, about: "When the card expires."},
	"deliverAt":    {kind: timeKind, about: "When the card is sent. Default: in 7 days."},
	"until":        {kind: timeKind, about: "When the suspension ends. Default: never."},
	"count":        {kind: countKind, about: "How many."},
	"days":         {kind: countKind, about: "How many days."},
	"role":         {kind: textKind, about: "The user's role: issuer, cashier or reader."},
	"requests":     {kind: countKind, about: "How many requests are refused; the next one is not. Default: all, until teardown."},
}
