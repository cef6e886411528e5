package store

import (
	"context"
	"fmt"
	"time"

	"giftcards/gen/db"
	"giftcards/store/id"
)

type (
	// BusinessReport is the figures of a program. Suspended cards are only among all Cards.
	BusinessReport = db.ReportBusinessRow
	// ExpiringCard is an active card with a balance that expires soon.
	ExpiringCard = db.ListExpiringRow
	// DormantCard is a card with a balance whose holder has not moved money for long.
	DormantCard = db.ListDormantRow
)

// Each report is one statement, so that its figures belong together.

// ReportBusiness returns the figures of a program at a time. A month is a calendar month in
// UTC.
func (s *Store) ReportBusiness(ctx context.Context, program id.ID, at time.Time) (BusinessReport, error) {
	at = at.UTC()
	month := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	report, err := s.q.ReportBusiness(ctx, program, at, month)
	if err != nil {
		return BusinessReport{}, classify(fmt.Errorf("report business: %w", err))
	}
	return report, nil
}

// ReportExpiring returns the active cards with a balance that expire after a time and not
// later than until, soonest first.
func (s *Store) ReportExpiring(ctx context.Context, program id.ID, at, until time.Time) ([]ExpiringCard, error) {
	cards, err := s.q.ListExpiring(ctx, program, at, until)
	if err != nil {
		return nil, classify(fmt.Errorf("report expiring cards: %w", err))
	}
	return cards, nil
}

// ReportDormant returns the cards with a balance whose holder has not moved money after since.
// The card that is dormant longest comes first.
func (s *Store) ReportDormant(ctx context.Context, program id.ID, since time.Time) ([]DormantCard, error) {
	cards, err := s.q.ListDormant(ctx, program, since)
	if err != nil {
		return nil, classify(fmt.Errorf("report dormant cards: %w", err))
	}
	return cards, nil
}
