package store

import (
	"context"
	"slices"
	"time"

	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/text"
)

// Consolidation merges cards of one customer into a new one.
type Consolidation struct {
	Cards          []id.ID   // in the order asked, each once
	Holder         Recipient // Email and Name: nil means those of the first card
	IsPhysical     bool
	DesignTemplate *text.Clean
	Details        Details
}

// Consolidated is what a consolidation has made.
type Consolidated struct {
	Card    *Card   // the new one
	Entries []Entry // of the old cards in the order asked, and of the new one
}

// Consolidate moves the balances of active cards of a program to a new active card, ends the
// old ones for good, drops their scheduled messages, and schedules those of the new card.
//
// The daily limits on issuing do not apply, because no value is issued: the value of the new
// card is counted already, with the old ones.
func (tx *Tx) Consolidate(ctx context.Context, program id.ID, asked Consolidation) (Consolidated, error) {
	sources, err := tx.LockCards(ctx, program, asked.Cards...)
	if err != nil {
		return Consolidated{}, err
	}
	total, err := judgeSources(sources)
	if err != nil {
		return Consolidated{}, err
	}
	card, err := tx.newMergedCard(ctx, program, asked, sources, total)
	if err != nil {
		return Consolidated{}, err
	}
	details := asked.Details
	details.Description = describe(details.Description, "Gift card consolidation")
	entries := make([]Entry, 0, len(sources)+1)
	for _, source := range sources {
		entries = append(entries, source.post(EntryConsolidation, source.Balance.Neg(), details))
		// post needs the status of before, because it ends a suspension that is over.
		source.Status = CardVoided
	}
	at := card.at
	card.ActivatedAt, card.Status = &at, CardActive
	// The card was inserted empty, because a balance needs an entry. This is that entry.
	entries = append(entries, card.post(EntryConsolidation, total, details))
	if err := tx.SaveCards(ctx, append(sources, card)...); err != nil {
		return Consolidated{}, err
	}
	return Consolidated{Card: card, Entries: entries}, nil
}

// judgeSources returns the sum of the balances of cards that may be merged.
func judgeSources(sources []*Card) (total money.Amount, err error) {
	if slices.Contains(sources, nil) {
		return total, ErrCardNotFound
	}
	for _, source := range sources {
		if err := source.refuseUnlessActive(); err != nil {
			return total, err
		}
		total = total.Add(source.Balance)
	}
	switch {
	case !ofOneCustomer(sources):
		return total, ErrOtherCustomer
	case total.Cmp(MaxBalance) > 0:
		return total, ErrTotalTooLarge
	}
	return total, nil
}

// ofOneCustomer reports whether cards have the same e-mail address or, if one of them has
// none, the same phone number. Cards without both belong together too, because nothing
// distinguishes their customers.
func ofOneCustomer(cards []*Card) bool {
	for _, contact := range []func(*Card) *string{
		func(c *Card) *string { return c.CustomerEmail },
		func(c *Card) *string { return c.CustomerPhone },
	} {
		first, known := contact(cards[0]), 0
		for _, card := range cards {
			if contact(card) != nil {
				known++
			}
		}
		if known == len(cards) {
			return !slices.ContainsFunc(cards, func(c *Card) bool { return !SameAddress(*contact(c), *first) })
		}
	}
	return !slices.ContainsFunc(cards, func(c *Card) bool { return c.CustomerEmail != nil || c.CustomerPhone != nil })
}

// newMergedCard inserts the card that the sources become, and its messages. It is pending and
// empty, because a balance needs an entry in the ledger.
func (tx *Tx) newMergedCard(ctx context.Context, program id.ID, asked Consolidation, sources []*Card, total money.Amount) (*Card, error) {
	expiresAt := mergedExpiry(sources, tx.now)
	terms := Terms{ProgramID: program, InitialValue: total, IsPhysical: asked.IsPhysical, DesignTemplate: asked.DesignTemplate, ExpiresAt: &expiresAt}
	cards, err := tx.store.newCards(tx.now, terms, id.New(tx.now), []Recipient{mergedHolder(asked.Holder, sources[0])})
	if err != nil {
		return nil, err
	}
	if err := tx.insertCards(ctx, cards); err != nil {
		return nil, err
	}
	if err := tx.insertMessages(ctx, tx.newMessages(cards, MessageConsolidation, false)); err != nil {
		return nil, err
	}
	return newCard(cards[0], tx.moment), nil
}

// mergedHolder returns the holder of a merged card. Fields that were not asked for are those of
// the first card. The phone number stays, except if another address replaces the first card's,
// because the phone may then be somebody else's.
func mergedHolder(asked Recipient, first *Card) Recipient {
	asked.Phone = first.CustomerPhone
	if asked.Email != nil && first.CustomerEmail != nil && !SameAddress(*asked.Email, *first.CustomerEmail) {
		asked.Phone = nil
	}
	if asked.Email == nil {
		asked.Email = first.CustomerEmail
	}
	if asked.Name == nil {
		asked.Name = (*text.Clean)(first.CustomerName) // it was cleaned when the card was issued
	}
	return asked
}

// mergedExpiry returns when a merged card expires: after a new card's lifetime or with the
// latest source, whichever is later, and at most when a card issued now may.
func mergedExpiry(sources []*Card, now time.Time) time.Time {
	latest := now.Add(DefaultLifetime)
	for _, source := range sources {
		if source.ExpiresAt.After(latest) {
			latest = source.ExpiresAt
		}
	}
	if last := LatestExpiry(now); latest.After(last) {
		return last
	}
	return latest
}
