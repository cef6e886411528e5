package server

import (
	"cmp"
	"context"
	"iter"
	"time"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
)

const day = 24 * time.Hour

// GetBusinessReports counts a program's cards and adds up its money.
func (s *Server) GetBusinessReports(ctx context.Context, _ api.GetBusinessReportsRequestObject) (api.GetBusinessReportsResponseObject, error) {
	program, err := caller(ctx).program()
	if err != nil {
		return nil, err
	}
	report, err := s.Store.ReportBusiness(ctx, program.ID, s.Store.Now(ctx))
	if err != nil {
		return nil, err
	}
	return api.GetBusinessReports200JSONResponse{
		TotalCards: int(report.Cards), ActiveCards: int(report.Active), PendingCards: int(report.Pending),
		DepletedCards: int(report.Depleted), ExpiredCards: int(report.Expired), VoidedCards: int(report.Voided),
		TotalSold: report.Sold, TotalRedeemed: report.Redeemed, TotalBalance: report.Balance,
		CardsSoldThisMonth: int(report.ActivatedThisMonth), SalesThisMonth: report.SoldThisMonth,
	}, nil
}

// warningDays are the levels of warnings, soonest first.
var warningDays = [...]int{30, 60, 90}

// GetExpirationWarnings lists the cards that expire within 90 days with money on them.
func (s *Server) GetExpirationWarnings(ctx context.Context, _ api.GetExpirationWarningsRequestObject) (api.GetExpirationWarningsResponseObject, error) {
	program, err := caller(ctx).program()
	if err != nil {
		return nil, err
	}
	now := s.Store.Now(ctx)
	until := now.Add(time.Duration(warningDays[len(warningDays)-1]) * day)
	report := &api.ExpirationWarningsReportResponse{ReportId: id.New(now).String(), GeneratedAt: now, Warnings: []api.ExpirationWarningResponse{}}
	return streamedReport[store.ExpiringCard]{
		server: s, ctx: ctx, program: program.ID, report: report, list: `"warnings":[]`,
		cards: func(ctx context.Context) iter.Seq2[store.ExpiringCard, error] {
			return s.Store.ExpiringCards(ctx, program.ID, now, until)
		},
		add: func(card store.ExpiringCard) any { return addWarning(report, card) },
	}, nil
}

// addWarning counts a card in the report and returns its warning.
func addWarning(report *api.ExpirationWarningsReportResponse, card store.ExpiringCard) api.ExpirationWarningResponse {
	warning := api.ExpirationWarningResponse{
		CardId: card.ID.String(), CardNumber: store.FormatNumber(card.CardNumber), CustomerEmail: card.CustomerEmail, CustomerName: card.CustomerName,
		DaysUntilExpiry: daysRoundedUp(card.ExpiresAt.Sub(report.GeneratedAt)), ExpiresAt: card.ExpiresAt.UTC(), Balance: card.Balance,
	}
	switch {
	case warning.DaysUntilExpiry <= warningDays[0]:
		warning.WarningLevel = "30d"
		report.Count30d++
	case warning.DaysUntilExpiry <= warningDays[1]:
		warning.WarningLevel = "60d"
		report.Count60d++
	// No card is beyond the last level, because the query ends there.
	default:
		warning.WarningLevel = "90d"
		report.Count90d++
	}
	return warning
}

func daysRoundedUp(d time.Duration) int { return int((d + day - 1) / day) }

// noJurisdiction is the jurisdiction of an escheatment report whose request names none.
const noJurisdiction = "unspecified"

// GetEscheatmentReport lists the cards with money on them whose holder has not used them for
// some days.
func (s *Server) GetEscheatmentReport(ctx context.Context, _ api.GetEscheatmentReportRequestObject) (api.GetEscheatmentReportResponseObject, error) {
	program, err := caller(ctx).program()
	if err != nil {
		return nil, err
	}
	now, dormancy := s.Store.Now(ctx), int(query(ctx).value("dormancy_days").Int())
	jurisdiction := cmp.Or(query(ctx).text("jurisdiction"), noJurisdiction)
	report := &api.EscheatmentReportResponse{
		ReportId: id.New(now).String(), GeneratedAt: now, Jurisdiction: jurisdiction, DormancyThresholdDays: dormancy,
		Entries: []api.EscheatmentReportEntryResponse{},
	}
	return streamedReport[store.DormantCard]{
		server: s, ctx: ctx, program: program.ID, report: report, list: `"entries":[]`,
		cards: func(ctx context.Context) iter.Seq2[store.DormantCard, error] {
			return s.Store.DormantCards(ctx, program.ID, now.Add(-time.Duration(dormancy)*day))
		},
		add: func(card store.DormantCard) any {
			// The sums grow while the list is written, because they come after it in the answer.
			report.EntriesCount++
			report.TotalLiability = report.TotalLiability.Add(card.Balance)
			return api.EscheatmentReportEntryResponse{
				CardId: card.ID.String(), CardNumber: store.FormatNumber(card.CardNumber), Balance: card.Balance, LiabilityAmount: card.Balance,
				LastActivityDate: card.MovedAt.UTC(), DormancyDays: int(now.Sub(card.MovedAt) / day), Jurisdiction: jurisdiction,
				CustomerEmail: card.CustomerEmail, MerchantId: program.MerchantID.String(),
			}
		},
	}, nil
}
