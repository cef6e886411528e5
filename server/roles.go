package server

import (
	"slices"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
	"giftcards/store"
)

// permission says which roles may use an operation, and how the others are refused.
type permission struct {
	roles   []string     // nil: the operation has no user
	refusal *store.Error // nil if every role may use it
}

// The permissions. A cashier serves at a till: a cashier issues nothing, ends nothing, and
// sees no figures of the business.
var (
	public    = permission{}
	everybody = permission{roles: []string{store.RoleReader, store.RoleCashier, store.RoleIssuer}}
	readers   = permission{[]string{store.RoleReader, store.RoleIssuer}, store.ErrMayNotList}
	cashiers  = permission{[]string{store.RoleCashier, store.RoleIssuer}, store.ErrMayNotChange}
	changers  = permission{[]string{store.RoleIssuer}, store.ErrMayNotChange}
	issuers   = permission{[]string{store.RoleIssuer}, store.ErrReadOnly}
)

// permissions has every operation of the document, by its Go name. A test fails if one is
// missing.
var permissions = map[string]permission{
	"Healthz":           public,
	"Readyz":            public,
	"CreateToken":       public,
	"DownloadGiftCards": public, // the link is the permission
	"AskToEndReceipts":  public,
	"EndReceipts":       public,
	"GetTokenInfo":      everybody,
	"Logout":            everybody,

	"CreateGiftCard":     issuers,
	"BulkIssueGiftCards": issuers,
	"PollBulkIssuance":   readers,

	"CheckGiftCardBalance":         public,
	"CustomerCheckGiftCardBalance": public,

	"GetGiftCardDetails": everybody,
	"SearchGiftCards":    everybody,
	"GetGiftCards":       readers,

	"GetBusinessReports":    readers,
	"GetExpirationWarnings": readers,
	"GetEscheatmentReport":  readers,

	"ActivateGiftCard":          cashiers,
	"RedeemGiftCard":            cashiers,
	"ReloadGiftCard":            cashiers,
	"ReloadGiftCardByNumber":    cashiers,
	"RefundGiftCardTransaction": cashiers,

	"VoidGiftCard":               changers,
	"SuspendGiftCard":            changers,
	"ResumeGiftCard":             changers,
	"TransferGiftCardBalance":    changers,
	"TransferGiftCardOwnership":  changers,
	"ResendGiftCardSecurityCode": changers,
	"ScheduleGiftCardDelivery":   changers,
	"ProcessExpiredGiftCard":     changers,
	"ConsolidateGiftCards":       changers,
}

// checkRole refuses a caller whose role may not use the operation. It first refuses a program
// in the path that is not the caller's.
func (s *Server) checkRole(next api.StrictHandlerFunc, operation string) api.StrictHandlerFunc {
	permitted := permissions[operation]
	if permitted.roles == nil {
		return next
	}
	return func(c echo.Context, request any) (any, error) {
		ctx := c.Request().Context()
		who := caller(ctx)
		for {
			if who.programID != "" {
				if _, err := who.program(); err != nil {
					return nil, err
				}
			}
			switch {
			case slices.Contains(permitted.roles, who.access.User.Role):
				return next(c, request)
			case !who.cached:
				return nil, permitted.refusal
			}
			// The role may have changed since it was cached.
			if err := s.authorize(ctx, who, false); err != nil {
				return nil, err
			}
		}
	}
}
