package main

import (
	"errors"
	"fmt"
	"strings"

	"giftcards/store"
)

// greet prints the server's addresses. With a private database it also prints two
// commands that issue a card of the demo merchant, unless an operator has deactivated
// the demo's user or changed its password. A new demo gets the fresh password.
func (s *session) greet(st *store.Store, d database, fresh demoSecret) error {
	// A server with a database of the operator's has real merchants, so it gets no demo.
	var made demo
	showsDemo := d.private != nil
	if showsDemo {
		var err error
		made, err = s.ensureDemo(st, fresh, true)
		showsDemo = !errors.Is(err, errDemoDeactivated) && !errors.Is(err, errDemoChanged)
		if err != nil && showsDemo {
			return err
		}
	}
	reached := ""
	// Behind a proxy the two addresses differ.
	if s.config.BaseURL != s.config.listenURL {
		reached = ", clients reach it at " + s.config.BaseURL
	}
	fmt.Fprintf(s.stdout, "giftcards listens on %s%s (documentation: %s/docs)\n", s.config.listenURL, reached, s.config.BaseURL)
	if s.config.Sandbox {
		fmt.Fprintf(s.stdout, "It is a sandbox: clients choose answers, times and faults (page: %[1]s/sandbox, description: %[1]s/openapi-sandbox.json)\n", s.config.BaseURL)
		s.log.WarnContext(s, "this is a sandbox, whose clients choose answers, times and faults")
	}
	if kept := s.config.keptInOutbox(); kept != "" {
		fmt.Fprintf(s.stdout, "%s to recipients are not sent, but written to %s\n", kept, s.outbox())
		if d.private == nil { // nobody reads the greeting of a service
			s.log.WarnContext(s, "messages are written to files, not sent", "what", strings.ToLower(kept), "directory", s.outbox())
		}
	}
	if !showsDemo {
		return nil
	}
	fmt.Fprintf(s.stdout, `
A demo merchant is in %[1]s. To issue a card, paste into another terminal:

TOKEN=$(curl -s %[2]s/v2/token -d username=%[3]s --data-urlencode password="$(sed -n 's/.*"password": "\(.*\)".*/\1/p' %[1]s)" | sed -n 's/.*"accessToken":"\([^"]*\)".*/\1/p')

curl -s %[2]s/v2/giftcards/programs/%[4]s/cards -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"initialValue": "25.00", "merchantId": "%[5]s", "customerName": "Ada", "customerEmail": "ada@example.com"}'

`, s.demoFile(), made.BaseURL, made.Username, made.ProgramID, made.MerchantID)
	return nil
}
