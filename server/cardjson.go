package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/money"
)

// This file writes the JSON of cards, of entries of the ledger and of unfinished tasks, the same
// bytes that encoding/json makes of their types, several times faster. Pages of cards and details
// are the answers that cost the most to encode, and clients ask for tasks again and again.

// appendGiftCard appends a card. A test compares it with encoding/json.
func appendGiftCard(b []byte, c *api.GiftCardResponse) []byte {
	return append(appendCardFields(b, c), '}')
}

// appendDetails appends the details of a card with entries, or without them if entries is nil.
func appendDetails(b []byte, c *api.GiftCardResponse, entries []store.Entry) []byte {
	b = append(appendCardFields(b, c), `,"transactions":`...)
	if entries == nil {
		return append(b, "null}"...)
	}
	b = append(b, '[')
	for i := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		shown := toTransaction(&entries[i], c.MerchantId)
		b = appendTransaction(b, &shown)
	}
	return append(b, "]}"...)
}

func appendCardFields(b []byte, c *api.GiftCardResponse) []byte {
	b = appendText(append(b, `{"id":`...), c.Id)
	b = appendText(append(b, `,"cardNumber":`...), c.CardNumber)
	b = appendAmount(append(b, `,"balance":`...), c.Balance)
	b = appendAmount(append(b, `,"initialValue":`...), c.InitialValue)
	b = appendText(append(b, `,"status":`...), string(c.Status))
	b = appendTime(append(b, `,"createdAt":`...), &c.CreatedAt)
	b = appendTime(append(b, `,"updatedAt":`...), c.UpdatedAt)
	b = appendTime(append(b, `,"activatedAt":`...), c.ActivatedAt)
	b = appendTime(append(b, `,"expiresAt":`...), &c.ExpiresAt)
	b = appendOptional(append(b, `,"suspendedReason":`...), c.SuspendedReason)
	b = appendTime(append(b, `,"suspendedUntil":`...), c.SuspendedUntil)
	b = appendTime(append(b, `,"suspendedAt":`...), c.SuspendedAt)
	b = appendOptional(append(b, `,"customerId":`...), c.CustomerId)
	b = appendOptional(append(b, `,"customerEmail":`...), c.CustomerEmail)
	b = appendOptional(append(b, `,"customerPhone":`...), c.CustomerPhone)
	b = appendOptional(append(b, `,"customerName":`...), c.CustomerName)
	b = appendOptional(append(b, `,"senderName":`...), c.SenderName)
	b = appendText(append(b, `,"merchantId":`...), c.MerchantId)
	b = appendOptional(append(b, `,"merchantName":`...), c.MerchantName)
	b = strconv.AppendBool(append(b, `,"isPhysical":`...), c.IsPhysical)
	b = appendOptional(append(b, `,"designTemplate":`...), c.DesignTemplate)
	b = appendOptional(append(b, `,"customMessage":`...), c.CustomMessage)
	b = appendText(append(b, `,"lastFourDigits":`...), c.LastFourDigits)
	b = appendText(append(b, `,"programId":`...), c.ProgramId)
	b = appendTime(append(b, `,"deliverAt":`...), c.DeliverAt)
	b = strconv.AppendBool(append(b, `,"delivered":`...), c.Delivered)
	return append(b, `,"card":null`...) // a pass, which this server does not make
}

// appendTransaction appends an entry of the ledger. A test compares it with encoding/json.
func appendTransaction(b []byte, e *api.GiftCardTransactionResponse) []byte {
	b = appendText(append(b, `{"id":`...), e.Id)
	b = appendText(append(b, `,"transactionType":`...), string(e.TransactionType))
	b = appendAmount(append(b, `,"amount":`...), e.Amount)
	b = appendAmount(append(b, `,"balanceBefore":`...), e.BalanceBefore)
	b = appendAmount(append(b, `,"balanceAfter":`...), e.BalanceAfter)
	b = appendOptional(append(b, `,"referenceId":`...), e.ReferenceId)
	b = appendOptional(append(b, `,"description":`...), e.Description)
	b = appendTime(append(b, `,"createdAt":`...), &e.CreatedAt)
	b = appendTime(append(b, `,"processedAt":`...), &e.ProcessedAt)
	b = appendText(append(b, `,"merchantId":`...), e.MerchantId)
	b = appendOptional(append(b, `,"posTransactionId":`...), e.PosTransactionId)
	b = appendOptional(append(b, `,"cashierId":`...), e.CashierId)
	b = appendOptional(append(b, `,"terminalId":`...), e.TerminalId)
	return append(b, '}')
}

// appendTaskStatus appends the status of a task without cards. A test compares it with
// encoding/json.
func appendTaskStatus(b []byte, t *api.BulkIssuanceTaskStatus) []byte {
	b = appendText(append(b, `{"taskId":`...), t.TaskId)
	b = appendText(append(b, `,"status":`...), t.Status)
	b = append(b, `,"issuedCount":null,"cards":null,"csvDownloadUrl":null,"failedCount":`...)
	if t.FailedCount == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(*t.FailedCount), 10)
	}
	b = appendOptional(append(b, `,"error":`...), t.Error)
	b = appendTime(append(b, `,"completedAt":`...), t.CompletedAt)
	return append(b, '}')
}

// plain has the bytes that a JSON string has as they are. Everything that needs an escape, or may
// need one, is left to encoding/json.
var plain = func() (plain [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		plain[c] = !strings.ContainsRune(`"\<>&`, rune(c))
	}
	return plain
}()

// appendText appends a JSON string.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if !plain[text[i]] {
			escaped, _ := json.Marshal(text) //nolint:errchkjson // a string never fails
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// appendOptional appends a JSON string, or null.
func appendOptional(b []byte, text *string) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	return appendText(b, *text)
}

// appendTime appends a time as a JSON string, or null.
func appendTime(b []byte, at *time.Time) []byte {
	if at == nil {
		return append(b, "null"...)
	}
	return append(at.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

// appendAmount appends an amount as a JSON string.
func appendAmount(b []byte, a money.Amount) []byte {
	b, _ = a.AppendText(append(b, '"')) // never fails
	return append(b, '"')
}

// encodedAnswer is an answer of 200 with a body that is encoded already.
type encodedAnswer struct {
	body []byte
	link *string // the header Link; nil for none
}

func (a encodedAnswer) write(w http.ResponseWriter) error {
	header := w.Header()
	header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	if a.link != nil {
		header.Set("Link", *a.link)
	}
	// net/http would send a body of an unknown length in chunks.
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(a.body)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(a.body)
	if cap(a.body) >= sentBytes {
		sent.Put(&a.body)
	}
	return err
}

// sent has the memory of large answers that were sent. A page of cards takes 250 KiB, and each
// would be cleared before its use and collected after it.
var sent = sync.Pool{New: func() any { return new([]byte) }}

// sentBytes is the capacity from which on memory is used again.
const sentBytes = 16 << 10

// newBody returns an empty body with room for an answer.
func newBody(capacity int) []byte {
	if capacity < sentBytes {
		return make([]byte, 0, capacity)
	}
	return slices.Grow((*sent.Get().(*[]byte))[:0], capacity) //nolint:forcetypeassert // only write puts
}

// VisitGetGiftCardDetailsResponse writes the answer.
func (a encodedAnswer) VisitGetGiftCardDetailsResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitPollBulkIssuanceResponse writes the answer.
func (a encodedAnswer) VisitPollBulkIssuanceResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitSearchGiftCardsResponse writes the answer.
func (a encodedAnswer) VisitSearchGiftCardsResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetGiftCardsResponse writes the answer.
func (a encodedAnswer) VisitGetGiftCardsResponse(w http.ResponseWriter) error { return a.write(w) }
