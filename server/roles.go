package server

import (
	"strings"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
	"giftcards/store"
)

// permission says which roles may use an operation, and how the others are refused.
type permission struct {
	roles   string       // separated by blanks; empty: the operation has no user
	refusal *store.Error // nil if every role may use it
}

// The permissions. A cashier serves at a till: issues nothing, ends nothing, and sees no
// figures of the business.
var (
	public    = permission{}
	everybody = permission{roles: "reader cashier issuer"}
	readers   = permission{"reader issuer", store.ErrMayNotList}
	cashiers  = permission{"cashier issuer", store.ErrMayNotChange}
	changers  = permission{"issuer", store.ErrMayNotChange}
	issuers   = permission{"issuer", store.ErrReadOnly}
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

// allows reports whether the role may use the operation.
func (p permission) allows(role string) bool {
	for allowed := range strings.FieldsSeq(p.roles) {
		if allowed == role {
			return true
		}
	}
	return false
}

// checkRole refuses a caller whose role may not use the operation. A program that the path
// names and that is not the caller's is refused first.
func (s *Server) checkRole(next api.StrictHandlerFunc, operation string) api.StrictHandlerFunc {
	permitted := permissions[operation]
	if permitted.roles == "" {
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
			case permitted.allows(who.access.User.Role):
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
