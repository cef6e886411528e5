package server

import (
	"cmp"
	"context"
	"time"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
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
	cards, err := s.Store.ReportExpiring(ctx, program.ID, now, now.Add(time.Duration(warningDays[len(warningDays)-1])*day))
	if err != nil {
		return nil, err
	}
	report := api.GetExpirationWarnings200JSONResponse{ReportId: id.New(now).String(), GeneratedAt: now, Warnings: make([]api.ExpirationWarningResponse, len(cards))}
	for i, card := range cards {
		warning := api.ExpirationWarningResponse{
			CardId: card.ID.String(), CardNumber: store.FormatNumber(card.CardNumber), CustomerEmail: card.CustomerEmail, CustomerName: card.CustomerName,
			DaysUntilExpiry: daysRoundedUp(card.ExpiresAt.Sub(now)), ExpiresAt: card.ExpiresAt.UTC(), Balance: card.Balance,
		}
		switch {
		case warning.DaysUntilExpiry <= warningDays[0]:
			warning.WarningLevel = "30d"
			report.Count30d++
		case warning.DaysUntilExpiry <= warningDays[1]:
			warning.WarningLevel = "60d"
			report.Count60d++
		default:
			warning.WarningLevel = "90d"
			report.Count90d++
		}
		report.Warnings[i] = warning
	}
	return report, nil
}

func daysRoundedUp(d time.Duration) int { return int((d + day - 1) / day) }

// noJurisdiction stands in an escheatment report for a jurisdiction that was not named.
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
	cards, err := s.Store.ReportDormant(ctx, program.ID, now.Add(-time.Duration(dormancy)*day))
	if err != nil {
		return nil, err
	}
	report := api.GetEscheatmentReport200JSONResponse{
		ReportId: id.New(now).String(), GeneratedAt: now, Jurisdiction: jurisdiction, DormancyThresholdDays: dormancy,
		Entries: make([]api.EscheatmentReportEntryResponse, len(cards)), EntriesCount: len(cards),
	}
	var total money.Amount
	for i, card := range cards {
		total = total.Add(card.Balance)
		report.Entries[i] = api.EscheatmentReportEntryResponse{
			CardId: card.ID.String(), CardNumber: store.FormatNumber(card.CardNumber), Balance: card.Balance, LiabilityAmount: card.Balance,
			LastActivityDate: card.MovedAt.UTC(), DormancyDays: int(now.Sub(card.MovedAt) / day), Jurisdiction: jurisdiction,
			CustomerEmail: card.CustomerEmail, MerchantId: program.MerchantID.String(),
		}
	}
	report.TotalLiability = total
	return report, nil
}
