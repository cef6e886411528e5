package server

import (
	"giftcards/server/validate"
	"giftcards/store"
	"giftcards/store/id"
)

// maxKeyLength bounds an idempotency key, without its quotes.
const maxKeyLength = 255

// rules are what the contract demands beyond the document's schemas: in prose,
// or because a store of money needs it. A fault that depends on the clock or on a
// setting is provisional, because a request that was accepted may have it later.
func (s *Server) rules() validate.Options {
	return validate.Options{
		Fields: map[string]validate.FieldRule{
			"CreateGiftCardRequest.expiresAt":    s.expiryWithinBounds,
			"BulkIssueGiftCardRequest.expiresAt": s.expiryWithinBounds,
			"BulkIssueGiftCardRequest.count":     s.atMostMaximum,
		},
		Lists: map[string]validate.ListBounds{
			"BulkIssueGiftCardRequest.recipients": {Least: 1, Most: s.BulkMaximum},
		},
		Bodies: map[string]validate.BodyRule{
			"CreateGiftCardRequest":    s.deliversBeforeExpiry,
			"BulkIssueGiftCardRequest": countOrRecipients,
		},
		Params: map[string]validate.FieldRule{
			"header.idempotency-key": fitKey,
		},
	}
}

// expiryWithinBounds: after now, at most 5 calendar years ahead.
func (s *Server) expiryWithinBounds(expiresAt validate.Value) *validate.ErrorDetail {
	now := s.Store.Now()
	switch {
	case !expiresAt.Time().After(now):
		return provisional(validate.NotInFuture())
	case expiresAt.Time().After(store.LatestExpiry(now)):
		return provisional(validate.ValueError("expiresAt must be at most 5 years ahead"))
	}
	return nil
}

// provisional marks a fault that the same request may not have had before.
func provisional(fault *validate.ErrorDetail) *validate.ErrorDetail {
	fault.Provisional = true
	return fault
}

func (s *Server) atMostMaximum(count validate.Value) *validate.ErrorDetail {
	n := count.Int()
	if n <= int64(s.BulkMaximum) {
		return nil
	}
	fault := validate.TooLarge(int64(s.BulkMaximum))
	fault.Provisional = n <= id.MaxBlock // no setting allows more
	return fault
}

// deliversBeforeExpiry: not after the card's expiry, also when that is the default.
func (s *Server) deliversBeforeExpiry(body validate.Value) *validate.ErrorDetail {
	expiry := body.Field("expiresAt").Time()
	byDefault := body.Field("expiresAt").IsNull()
	if byDefault {
		expiry = s.Store.Now().Add(store.DefaultLifetime)
	}
	if body.Field("deliverAt").Time().After(expiry) {
		refusal := validate.ValueError("deliverAt must not be after expiresAt")
		refusal.Loc, refusal.Provisional = validate.Loc{"deliverAt"}, byDefault
		return refusal
	}
	return nil
}

// countOrRecipients: mutually exclusive (document), and one is needed.
func countOrRecipients(body validate.Value) *validate.ErrorDetail {
	if body.Field("count").IsNull() == body.Field("recipients").IsNull() {
		return validate.ValueError("exactly one of count and recipients is required")
	}
	return nil
}

// fitKey: 1 to 255 printable ASCII characters; an empty key counts as none.
func fitKey(header validate.Value) *validate.ErrorDetail {
	key := bareKey(header.Text())
	if len(key) > maxKeyLength {
		return validate.TextTooLong(maxKeyLength)
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return validate.PatternMismatch("^[ -~]*$")
		}
	}
	return nil
}
