package jobs

import (
	"cmp"
	"context"

	"giftcards/jobs/barcode"
	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
	"giftcards/jobs/transport"
	"giftcards/store"
)

// send composes the message and hands it to the lane's sender.
func (c *courier) send(ctx context.Context, due *store.Due, code string) error {
	// The store has checked the zone, but this machine may lack its time-zone data.
	program := due.Program
	settings, err := texts.NewSettings(program.Locale, program.Currency, program.TimeZone)
	if err != nil {
		return err
	}
	// The card itself tells of the gift as it was given, later messages of what is left of it.
	value := due.Card.InitialValue
	if due.Kind != store.MessageCard && due.Card.ActivatedAt != nil {
		value = due.Card.Balance
	}
	gift := message.Gift{
		ID: due.CardID.String(), Kind: due.Kind, Merchant: due.MerchantName, From: orEmpty(program.SenderName), Sender: orEmpty(due.Card.SenderName), Recipient: orEmpty(due.Card.CustomerName), Note: orEmpty(due.Card.CustomMessage),
		Value: value.String(), Number: store.FormatNumber(due.Card.CardNumber), Code: code,
		ExpiresAt: due.Card.ExpiresAt, Now: c.store.Clock(), Settings: settings,
		Design: cmp.Or(orEmpty(due.Card.DesignTemplate), orEmpty(program.DefaultDesign)), Symbology: barcode.Symbology(program.TillCode),
	}
	compose := c.templates.ComposeMail
	if due.Channel == store.ChannelSMS {
		compose = c.templates.ComposeSMS
	}
	content, err := compose(gift)
	if err != nil {
		return err
	}
	m := transport.Message{
		ID: due.CardID.String(), Sequence: int(due.Sequence), To: due.Address, FromName: content.From, ReplyTo: orEmpty(program.ReplyTo), Date: c.store.Clock(),
		Subject: content.Subject, Text: content.Text, HTML: content.HTML,
	}
	if content.Barcode != nil {
		m.Image = &transport.Image{ID: content.BarcodeID, PNG: content.Barcode.PNG}
	}
	if due.Channel == store.ChannelSMS {
		m.Text = content.SMS
	}
	return c.sender.Send(ctx, m)
}
