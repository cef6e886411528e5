// Package rules holds the rules for requests that the document's schemas do not express.
// Some of them are in the document's prose; others are there because cards are money. They
// have a package of their own, so that the server and the tests of package validate use the
// same rules.
package rules

import (
	"context"
	"strings"
	"time"

	"giftcards/server/validate"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/text"
)

// maxKeyLength bounds an idempotency key, without its quotes, in characters.
const maxKeyLength = 255

// Rules depend on the time and on a setting. A fault that depends on one of the two is
// provisional, because the same request may have been accepted before.
type Rules struct {
	Now         func(context.Context) time.Time // of the request that a context belongs to
	BulkMaximum int                             // most cards that a bulk request may ask for
}

// Options returns the rules as the validator takes them.
func (r Rules) Options() validate.Options {
	return validate.Options{
		Fields: map[string]validate.FieldRule{
			"CreateGiftCardRequest.expiresAt":    r.expiryWithinBounds,
			"BulkIssueGiftCardRequest.expiresAt": r.expiryWithinBounds,
			"BulkIssueGiftCardRequest.count":     r.atMostMaximum,

			"SuspendGiftCardRequest.suspendedUntil": r.inFuture,
			"TransferOwnershipRequest.newOwnerName": ownerHasName,
		},
		// A field rule would run after the items, and a list that is too long must cost little.
		Lists: map[string]validate.ListBounds{
			"BulkIssueGiftCardRequest.recipients": {Least: 1, Most: r.BulkMaximum},
		},
		Bodies: map[string]validate.BodyRule{
			"CreateGiftCardRequest":    r.deliversBeforeExpiry,
			"BulkIssueGiftCardRequest": countOrRecipients,
		},
		Params: map[string]validate.FieldRule{
			"header.idempotency-key": fitKey,
		},
	}
}

// Key returns the idempotency key that a header holds, with or without quotes around it.
// An empty key counts as none.
func Key(header string) string {
	if quoted := len(header) >= 2 && strings.HasPrefix(header, `"`) && strings.HasSuffix(header, `"`); quoted {
		return header[1 : len(header)-1]
	}
	return header
}

// expiryWithinBounds requires an expiry after now and at most 5 calendar years ahead.
func (r Rules) expiryWithinBounds(ctx context.Context, expiresAt validate.Value) *validate.ErrorDetail {
	now := r.Now(ctx)
	switch {
	case !expiresAt.Time().After(now):
		return provisional(validate.NotInFuture())
	case expiresAt.Time().After(store.LatestExpiry(now)):
		return provisional(validate.ValueError("expiresAt must be at most 5 years ahead"))
	}
	return nil
}

// inFuture demands a time after now. The fault is final, because a suspension has no
// idempotency key and so no replay.
func (r Rules) inFuture(ctx context.Context, value validate.Value) *validate.ErrorDetail {
	if !value.Time().After(r.Now(ctx)) {
		return validate.NotInFuture()
	}
	return nil
}

// provisional marks a fault that the same request may not have had earlier.
func provisional(fault *validate.ErrorDetail) *validate.ErrorDetail {
	fault.Provisional = true
	return fault
}

// atMostMaximum requires a count of at most BulkMaximum cards.
func (r Rules) atMostMaximum(_ context.Context, count validate.Value) *validate.ErrorDetail {
	n := count.Int()
	if n <= int64(r.BulkMaximum) {
		return nil
	}
	fault := validate.TooLarge(int64(r.BulkMaximum))
	fault.Provisional = n <= id.MaxBlock // no setting allows more
	return fault
}

// deliversBeforeExpiry requires that a card does not expire before its delivery. If the
// request names no expiry, the default one counts.
func (r Rules) deliversBeforeExpiry(ctx context.Context, body validate.Value) *validate.ErrorDetail {
	expiry := body.Field("expiresAt").Time()
	byDefault := body.Field("expiresAt").IsNull()
	if byDefault {
		expiry = r.Now(ctx).Add(store.DefaultLifetime)
	}
	if body.Field("deliverAt").Time().After(expiry) {
		refusal := validate.ValueError("deliverAt must not be after expiresAt")
		refusal.Loc, refusal.Provisional = validate.Loc{"deliverAt"}, byDefault
		return refusal
	}
	return nil
}

// OwnerName returns the name of a card's new owner as it is stored: one line without markup.
func OwnerName(typed string) string { return text.Line(text.Message(typed)) }

// ownerHasName demands a name that is not empty without its markup.
func ownerHasName(_ context.Context, name validate.Value) *validate.ErrorDetail {
	if strings.TrimSpace(OwnerName(name.Text())) == "" {
		return validate.TextTooShort(1)
	}
	return nil
}

// countOrRecipients requires exactly one of the two. The document says that they exclude
// each other, and a request with neither would issue nothing.
func countOrRecipients(_ context.Context, body validate.Value) *validate.ErrorDetail {
	if body.Field("count").IsNull() == body.Field("recipients").IsNull() {
		return validate.ValueError("exactly one of count and recipients is required")
	}
	return nil
}

// fitKey requires an idempotency key of at most 255 printable ASCII characters.
func fitKey(_ context.Context, header validate.Value) *validate.ErrorDetail {
	key := Key(header.Text())
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
