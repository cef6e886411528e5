package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"giftcards/server/downloadpage"
	"giftcards/server/workbook"
	"giftcards/store/id"
)

// The ids and numbers in the examples. Ids in a request's path replace them.
const (
	exampleCard        = "5eb7cf5a86d9755df3a6c593"
	exampleOther       = "5eb7cf5a86d9755df3a6c594"
	exampleProgram     = "5eb7cf5a86d9755df3a6c595"
	exampleMerchant    = "5eb7cf5a86d9755df3a6c596"
	exampleUser        = "5eb7cf5a86d9755df3a6c597"
	exampleTransaction = "5eb7cf5a86d9755df3a6c598"
	exampleTask        = "0d1f3a5c-7b9e-4f21-8c3d-5a6b7c8d9e0f"
	exampleLink        = "c2FuZGJveC1leGFtcGxlLWxpbmstd2l0aG91dC1jYXJkcw"
	exampleNumber      = "9041728536194027"
	otherNumber        = "9041728536194035"
	workbookType       = workbook.MediaType
)

// example is an answer that the document declares, with realistic content.
type example struct {
	sandbox *Sandbox
	op      operation
	code    int
	request *http.Request
	now     time.Time
}

func (s *Sandbox) newExample(op operation, code int, r *http.Request) *example {
	return &example{sandbox: s, op: op, code: code, request: r, now: s.Store.Clock().Truncate(time.Second)}
}

// param returns an id from the request's path, or an example if the path has no valid one.
func (e *example) param(name string) string {
	if value, err := id.Parse(e.op.params[name]); err == nil {
		return value.String()
	}
	if name == "programId" {
		return exampleProgram
	}
	return exampleCard
}

// body returns the body as bytes.
func (e *example) body() ([]byte, error) {
	switch e.mediaType() {
	case "text/csv":
		return []byte("cardNumber,securityCode,initialValue,expiresAt,id\r\n" + strings.Join(e.line(), ",") + "\r\n"), nil
	case workbookType:
		return e.workbook()
	}
	content, err := e.content()
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(content)
	return append(encoded, '\n'), err
}

// content returns the body before it is encoded.
func (e *example) content() (any, error) {
	switch {
	case e.code == http.StatusUnprocessableEntity:
		return object{"detail": e.invalid()}, nil
	case e.code >= http.StatusBadRequest:
		// The document's own example comes first.
		if media := e.op.declared.Responses.Status(e.code).Value.Content["application/json"]; media != nil {
			for _, given := range media.Examples {
				return given.Value.Value, nil
			}
		}
		return object{"detail": e.refusal()}, nil
	}
	success, ok := successes[e.op.name()]
	if !ok {
		return nil, fmt.Errorf("there is no example of %d", e.code)
	}
	return success(e), nil
}

// writePage answers with a page for people: the one before a download, or the one that ends
// receipts.
func (e *example) writePage(w http.ResponseWriter) error {
	switch {
	case e.code != http.StatusOK:
		return downloadpage.WriteRefusal(w, e.code, e.refusal())
	case e.op.isReceipts():
		return downloadpage.WriteReceipts(w, downloadpage.Receipts{Merchant: "Example", Ended: e.op.method == http.MethodPost, Style: e.sandbox.english})
	}
	w.Header().Del("Content-Disposition")
	return downloadpage.WriteOffer(w, downloadpage.Offer{
		Program: "Summer", Cards: 1, Value: "25.00", ExpiresAt: e.expiry(), Now: e.now, Until: e.now.Add(24 * time.Hour), Workbook: true, Style: e.sandbox.english,
	})
}

// line returns the fields of the example's card in a downloaded file.
func (e *example) line() []string {
	return []string{exampleNumber, "482915", "25.00", e.timestamp(e.expiry()), exampleCard}
}

func (e *example) workbook() ([]byte, error) {
	var file bytes.Buffer
	w, err := workbook.New(&file, []workbook.Column{
		{Name: "Card number", Width: 20}, {Name: "Security code", Width: 14}, {Name: "Initial value", Width: 13},
		{Name: "Expires at", Width: 30}, {Name: "Card id", Width: 28},
	}, false)
	if err != nil {
		return nil, err
	}
	var fields [][]byte
	for _, text := range e.line() {
		fields = append(fields, []byte(text))
	}
	// Row 1 has the names of the columns.
	if _, err := w.Write(workbook.AppendRow(nil, 2, fields...)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return file.Bytes(), nil
}

// object is a JSON object.
type object map[string]any

// timestamp returns a time as answers write it.
func (e *example) timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (e *example) expiry() time.Time { return e.now.AddDate(1, 0, 0) }

// card returns a card with a status. Its other properties are those of an active card with 25.00,
// except for changes.
func (e *example) card(status string, changes object) object {
	card := object{
		"id": e.param("cardId"), "cardNumber": exampleNumber, "lastFourDigits": exampleNumber[12:], "balance": "25.00", "initialValue": "25.00",
		"status": status, "createdAt": e.timestamp(e.now.Add(-time.Hour)), "updatedAt": e.timestamp(e.now), "activatedAt": e.timestamp(e.now.Add(-time.Minute)), "expiresAt": e.timestamp(e.expiry()),
		"suspendedReason": nil, "suspendedUntil": nil, "suspendedAt": nil, "customerId": nil,
		"customerEmail": "ada@example.com", "customerPhone": nil, "customerName": "Ada", "senderName": nil,
		"merchantId": exampleMerchant, "merchantName": "Example", "programId": e.param("programId"),
		"isPhysical": false, "designTemplate": nil, "customMessage": nil, "deliverAt": nil, "delivered": true, "card": nil,
	}
	maps.Copy(card, changes)
	return card
}

// transaction returns an entry of the card's ledger.
func (e *example) transaction() object {
	return object{
		"id": exampleTransaction, "transactionType": "ACTIVATION", "amount": "25.00", "balanceBefore": "0.00", "balanceAfter": "25.00",
		"referenceId": nil, "description": "Gift card activation", "createdAt": e.timestamp(e.now), "processedAt": e.timestamp(e.now),
		"merchantId": exampleMerchant, "posTransactionId": nil, "cashierId": nil, "terminalId": nil,
	}
}
