package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"giftcards/jobs"
	"giftcards/jobs/message"
	"giftcards/jobs/transport"
	"giftcards/server/validate"
	"giftcards/server/validate/email"
	"giftcards/store"
	"giftcards/store/id"
)

type tryMessage struct {
	To string `arg:"" name:"address" help:"Mail address or telephone number (+44…) to send it to."`
}

type printedTry struct {
	Channel string `json:"channel"`
	Address string `json:"address"`
	// Outcome is sent, written, refused (permanently), deferred (a server would retry) or
	// unconfirmed.
	Outcome string `json:"outcome"`
	Stage   string `json:"stage,omitempty"`
	Code    int    `json:"code,omitempty"`
	// Said is the server's answer, or the error.
	Said string `json:"said"`
}

var errNotTaken = errors.New("the message was not accepted")

// recipient returns an address's channel, and the address in the form that the API stores.
func recipient(address string) (channel, normalized string, err error) {
	if strings.Contains(address, "@") {
		normalized, reason := email.Normalize(address)
		if reason != "" {
			return "", "", fmt.Errorf("want a mail address: %s", reason)
		}
		return store.ChannelEmail, normalized, nil
	}
	// The API's own rules apply, so that the test cannot succeed where the API refuses.
	normalized, ok := validate.Phone(address)
	if !ok {
		return "", "", errors.New("want a mail address, or a telephone number such as +442079460018")
	}
	return store.ChannelSMS, normalized, nil
}

// Run sends an invented card with the same settings as serve. It needs no database.
func (c tryMessage) Run(s *session) error {
	channel, address, err := recipient(c.To)
	if err != nil {
		return err
	}
	delivery, err := s.delivery()
	if err != nil {
		return err
	}
	route := delivery.Mail
	if channel == store.ChannelSMS {
		route = delivery.SMS
	}
	defer route.Sender.Close()
	// The zeros make it obvious that no such card exists, and reveal no real one.
	now := time.Now()
	content, err := delivery.Templates.Compose(message.Gift{
		Merchant: "Test", Note: "This message is a test of the settings. There is no such gift card.",
		Value: "0.00", Number: strings.Repeat("0", 16), Code: strings.Repeat("0", 6),
		ExpiresAt: now.AddDate(0, 0, 1), Now: now,
	})
	if err != nil {
		return err
	}
	printed := printedTry{Channel: channel, Address: address}
	m := transport.Message{
		ID: id.New(now).String(), To: address, FromName: content.From, Date: now, Subject: content.Subject,
		Text: content.Text, HTML: content.HTML, Taken: func(words string) { printed.Said = words },
	}
	if content.Barcode != nil {
		m.Image = &transport.Image{ID: content.BarcodeID, PNG: content.Barcode.PNG}
	}
	if channel == store.ChannelSMS {
		m.Text = content.SMS
	}
	return errors.Join(c.judge(&printed, route, route.Sender.Send(s, m)), s.printJSON(&printed))
}

// judge fills in the outcome of an attempt, and returns errNotTaken if it failed.
func (tryMessage) judge(printed *printedTry, route jobs.Route, sent error) error {
	if sent == nil {
		printed.Outcome = store.MessageSent
		if _, toFile := route.Sender.(*transport.Outbox); toFile {
			printed.Outcome = store.MessageWritten
		}
		return nil
	}
	printed.Outcome, printed.Said = "deferred", sent.Error()
	// Other errors come from before the connection, such as a bad template.
	if failed, ok := errors.AsType[*transport.Error](sent); ok {
		printed.Stage, printed.Code, printed.Said = failed.Stage, failed.Code, failed.Err.Error()
		switch {
		case failed.Permanent:
			printed.Outcome = "refused"
		case failed.Unconfirmed:
			printed.Outcome = "unconfirmed"
		}
	}
	return errNotTaken
}
