package store

import (
	"context"
	"fmt"
	"iter"
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

// ReportBusiness returns the figures of a program at a time. A month is a calendar month in
// UTC. It is one statement, so that its figures belong together.
func (s *Store) ReportBusiness(ctx context.Context, program id.ID, at time.Time) (BusinessReport, error) {
	at = at.UTC()
	month := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	report, err := s.q.ReportBusiness(ctx, program, at, month)
	if err != nil {
		return BusinessReport{}, classify(fmt.Errorf("report business: %w", err))
	}
	return report, nil
}

// ExpiringCards returns the active cards with a balance that expire after a time and not later
// than until, soonest first.
func (s *Store) ExpiringCards(ctx context.Context, program id.ID, at, until time.Time) iter.Seq2[ExpiringCard, error] {
	return inPages(ExpiringCard{ExpiresAt: at, ID: beginning.Card}, func(after ExpiringCard) ([]ExpiringCard, error) {
		cards, err := s.q.ListExpiring(ctx, db.ListExpiringParams{
			ProgramID: program, AfterTime: after.ExpiresAt, AfterCard: after.ID[:], Until: until, Now: at, Batch: pageSize,
		})
		return cards, classify(wrap(err, "list expiring cards"))
	})
}

// DormantCards returns the cards with a balance whose holder has not moved money after since,
// oldest card first.
func (s *Store) DormantCards(ctx context.Context, program id.ID, since time.Time) iter.Seq2[DormantCard, error] {
	return inPages(DormantCard{}, func(after DormantCard) ([]DormantCard, error) {
		cards, err := s.q.ListDormant(ctx, db.ListDormantParams{ProgramID: program, AfterCard: after.ID[:], Since: since, Batch: pageSize})
		return cards, classify(wrap(err, "list dormant cards"))
	})
}

// inPages returns rows one by one, and holds a page of them. read returns the page after a row,
// which has at most pageSize. A row that changes meanwhile is read as it was before or after the
// change. The rows end with the first error.
func inPages[Row any](first Row, read func(after Row) ([]Row, error)) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for after := first; ; {
			page, err := read(after)
			if err != nil {
				yield(after, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
				after = row
			}
			// A full page may be the last one. The next read then returns none.
			if len(page) < pageSize {
				return
			}
		}
	}
}
