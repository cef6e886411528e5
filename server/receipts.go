package server

import (
	"context"
	"net/http"
	"strings"

	"giftcards/gen/api"
	"giftcards/server/downloadpage"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
)

// receiptLinkSize is the length of a link's payload: program, hash of the address, and one byte
// more, so that no other kind of link has it.
const receiptLinkSize = 12 + 32 + 1

// receiptLinkMark is the last byte of the payload.
const receiptLinkMark = 'r'

// ReceiptLink returns the address at which a recipient ends the receipts of a program. It works
// for as long as its key is not retired. It names nobody: the recipient's address is hashed.
func ReceiptLink(baseURL string, keys *keyring.Ring, program id.ID, address string) string {
	hash := store.AddressHash(address)
	payload := append(append(program[:], hash[:]...), receiptLinkMark)
	return strings.TrimSuffix(baseURL, "/") + "/v2/giftcards/receipts/" + keys.SignLink(payload)
}

var errBadReceiptLink = &refusal{status: http.StatusForbidden, detail: "Link is invalid"}

// openReceiptLink returns what was signed. It fails with errBadReceiptLink.
func (s *Server) openReceiptLink(link string) (program id.ID, address [32]byte, err error) {
	payload, err := s.Keys.VerifyLink(link)
	if err != nil || len(payload) != receiptLinkSize || payload[receiptLinkSize-1] != receiptLinkMark {
		return id.ID{}, [32]byte{}, errBadReceiptLink
	}
	return id.ID(payload[:12]), [32]byte(payload[12:44]), nil
}

// AskToEndReceipts answers with a page that asks. It changes nothing, because programs that look
// at the links in mails follow them too.
func (s *Server) AskToEndReceipts(ctx context.Context, request api.AskToEndReceiptsRequestObject) (api.AskToEndReceiptsResponseObject, error) {
	program, _, err := s.openReceiptLink(request.Receipt)
	if err != nil {
		return nil, err
	}
	return s.receiptPage(ctx, program, func(*store.Tx) error { return nil }, false)
}

// EndReceipts ends the receipts of a program to an address, and says so.
func (s *Server) EndReceipts(ctx context.Context, request api.EndReceiptsRequestObject) (api.EndReceiptsResponseObject, error) {
	program, address, err := s.openReceiptLink(request.Receipt)
	if err != nil {
		return nil, err
	}
	return s.receiptPage(ctx, program, func(tx *store.Tx) error { return tx.RefuseReceipts(ctx, program, address) }, true)
}

// receiptPage does something in a transaction, and returns the page in the program's language.
func (s *Server) receiptPage(ctx context.Context, program id.ID, do func(*store.Tx) error, ended bool) (receiptPage, error) {
	page := receiptPage{Ended: ended}
	err := store.Do(ctx, s.Store, func(tx *store.Tx) error {
		found, merchant, err := tx.FindProgramMerchant(ctx, program)
		if err != nil {
			return err
		}
		page.Merchant = merchant
		if page.Style, err = s.style(found); err != nil {
			return err
		}
		return do(tx)
	})
	return page, err
}

type receiptPage downloadpage.Receipts

// VisitAskToEndReceiptsResponse writes the page.
func (p receiptPage) VisitAskToEndReceiptsResponse(w http.ResponseWriter) error {
	return downloadpage.WriteReceipts(w, downloadpage.Receipts(p))
}

// VisitEndReceiptsResponse writes the page.
func (p receiptPage) VisitEndReceiptsResponse(w http.ResponseWriter) error {
	return downloadpage.WriteReceipts(w, downloadpage.Receipts(p))
}
