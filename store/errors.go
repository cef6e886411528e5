package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// Kind is what a caller can do about an error.
type Kind int

// The kinds of error. An error that is not an *Error is a fault of the server.
const (
	NotFound    Kind = iota + 1 // there is no such thing
	Forbidden                   // it belongs to another merchant, or the user may not do it
	Conflict                    // it contradicts what is stored
	Unavailable                 // the database is away; a retry may work
	Exhausted                   // the caller has too much unfinished work; a retry may work
	Refused                     // the state or the balance of the card does not allow it
	Busy                        // somebody else is changing the card; a retry may work
	WrongCode                   // the security code is not the card's
)

// Error is a refusal that the caller can understand and act on.
type Error struct {
	Kind Kind
	// Message is a sentence for the caller, without internals.
	Message string
	// Err is the cause, for the log; it may be nil.
	Err error
}

// Error returns the message, and the cause if there is one. It is for the log, and not for the caller.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// The refusals that depend on the database. The rules for the request itself are in
// docs/contract.md#rules-beyond-the-schema.
var (
	ErrProgramNotFound  = &Error{Kind: NotFound, Message: "Program not found"}
	ErrProgramForbidden = &Error{Kind: Forbidden, Message: "Program belongs to another merchant"}
	ErrReadOnly         = &Error{Kind: Forbidden, Message: "User may not issue gift cards"}
	ErrMayNotChange     = &Error{Kind: Forbidden, Message: "User may not change gift cards"}
	ErrMayNotList       = &Error{Kind: Forbidden, Message: "User may not list gift cards"}
	ErrLinkEnded        = &Error{Kind: Forbidden, Message: "Download link is invalid or has expired"}
	ErrTaskNotFound     = &Error{Kind: NotFound, Message: "Task not found"}
	ErrTaskNotStuck     = &Error{Kind: Conflict, Message: "Task is not stuck"}
	ErrMerchantNotFound = &Error{Kind: NotFound, Message: "Merchant not found"}
	ErrCardNotFound     = &Error{Kind: NotFound, Message: "Gift card not found"}
	ErrUserNotFound     = &Error{Kind: NotFound, Message: "User not found"}
	ErrBadName          = &Error{Kind: Conflict, Message: "A name must have 1 to 255 characters"}
	ErrBadZone          = &Error{Kind: Conflict, Message: "A time zone must have a name of the IANA database, such as Europe/Paris"}
	ErrBadCurrency      = &Error{Kind: Conflict, Message: "A currency must be a code of ISO 4217, such as EUR"}
	ErrBadLocale        = &Error{Kind: Conflict, Message: "A locale must be a language tag of BCP 47, such as fr or fr-CH"}
	ErrBadActivation    = &Error{Kind: Conflict, Message: "Activation must be merchant, because customers cannot activate cards yet"}
	ErrBadDesign        = &Error{Kind: Conflict, Message: "A design must have a name of 1 to 100 of a-z, 0-9 and -"}
	ErrBadTillCode      = &Error{Kind: Conflict, Message: "A code must be qr or code128"}
	ErrBadReceipt       = &Error{Kind: Conflict, Message: "Receipts must be some of activated, redeemed, reloaded and expiring"}
	ErrBadRetention     = &Error{Kind: Conflict, Message: "A retention must not be negative"}
	ErrEmailTaken       = &Error{Kind: Conflict, Message: "A user with this e-mail address exists"}
	ErrBacklogFull      = &Error{Kind: Exhausted, Message: "Too many cards of the merchant are waiting to be issued"}

	ErrCardNotActive       = &Error{Kind: Refused, Message: "Gift card is not active"}
	ErrCardExpired         = &Error{Kind: Refused, Message: "Gift card has expired"}
	ErrCardVoided          = &Error{Kind: Refused, Message: "Gift card has been voided"}
	ErrCardActivated       = &Error{Kind: Refused, Message: "Gift card has already been activated"}
	ErrInsufficientBalance = &Error{Kind: Refused, Message: "Insufficient gift card balance"}
	ErrCardNotSuspended    = &Error{Kind: Refused, Message: "Gift card is not suspended"}
	ErrCardNotExpired      = &Error{Kind: Refused, Message: "Gift card has not expired"}
	ErrNothingToPayOut     = &Error{Kind: Refused, Message: "Gift card has no balance to refund"}
	ErrEntryNotFound       = &Error{Kind: NotFound, Message: "Transaction not found"}
	ErrNotRefundable       = &Error{Kind: Refused, Message: "Refunds are not allowed for this transaction."}
	ErrRefunded            = &Error{Kind: Refused, Message: "This transaction has already been processed."}
	ErrRefundTooLarge      = &Error{Kind: Refused, Message: "Invalid transaction amount."}
	ErrSameCard            = &Error{Kind: Refused, Message: "Source and destination must be different cards"}
	ErrCardTwice           = &Error{Kind: Refused, Message: "Cards must be different"}
	ErrOtherCustomer       = &Error{Kind: Refused, Message: "All cards must belong to the same customer"}
	ErrTotalTooLarge       = &Error{Kind: Refused, Message: "Total value exceeds maximum allowed"}
	ErrWrongCode           = &Error{Kind: WrongCode, Message: "Invalid security code"}
	ErrNoRecipient         = &Error{Kind: Refused, Message: "Gift card has no recipient"}
	ErrDelivered           = &Error{Kind: Refused, Message: "Gift card has already been delivered"}
	ErrCustomerNotFound    = &Error{Kind: NotFound, Message: "Customer not found"}
	ErrWorldNotFound       = &Error{Kind: NotFound, Message: "World not found"}
	ErrWorldExists         = &Error{Kind: Conflict, Message: "A world of this name exists"}
	ErrTooManyWorlds       = &Error{Kind: Exhausted, Message: "The sandbox has as many worlds as it may have: delete those that no test needs any more"}
	// ErrDeliveryAfterExpiry is about the field deliverAt, so callers are answered with a 422.
	ErrDeliveryAfterExpiry = &Error{Kind: Conflict, Message: "deliverAt must not be after expiresAt"}
	// ErrCardBusy means that another transaction has held a card for longer than lockWait.
	ErrCardBusy = &Error{Kind: Busy, Message: "Gift card is locked by another operation"}

	// ErrKeyReused means that the idempotency key was used for another request.
	ErrKeyReused = &Error{Kind: Conflict, Message: "idempotency-key was used for another request"}
)

// ErrAccessChanged means that nothing was written, because the token or the user has changed
// since the Access was read. Read it again and retry.
var ErrAccessChanged = &Error{Kind: Unavailable, Message: "Service unavailable"}

// Constraints whose violation the code handles, as the schema names them.
const (
	constraintCardNumber      = "gift_cards_number_idx"
	constraintUserEmail       = "users_email_key"
	constraintUserMerchant    = "users_merchant_id_fkey"
	constraintProgramMerchant = "programs_merchant_id_fkey"
	constraintWorldName       = "worlds_pkey"
)

// codeLockTimeout is the SQLSTATE of a statement that waited for a lock for too long.
const codeLockTimeout = "55P03"

// lockTimedOut reports whether a statement waited for a lock for too long.
func lockTimedOut(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == codeLockTimeout
}

// wrap adds to an error what was being done; it returns nil without one.
func wrap(err error, doing string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// violates reports whether err is a violation of the named constraint.
func violates(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.ConstraintName == constraint
}

// IsUnavailable reports whether err means that the database is away or too busy, so that a
// retry may work.
func IsUnavailable(err error) bool { return err != nil && unavailable(err) }

// classify returns an Unavailable error if err means that the database is away or too busy,
// and other errors unchanged.
func classify(err error) error {
	if err == nil || !unavailable(err) {
		return err
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Kind: Unavailable, Message: "Service unavailable", Err: err}
}

func unavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return passing(pg.Code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	// pgx reports a connection that breaks during a statement as a plain io.EOF.
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, puddle.ErrClosedPool) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err)
}

// passing reports whether a SQLSTATE means that a retry may work.
func passing(code string) bool {
	switch code {
	case "40001", "40P01", "40003": // serialization failure, deadlock, unknown how the statement ended
		return true
	case codeLockTimeout, "57014", "25P03", "25P04": // lock_timeout, statement_timeout, idle_in_transaction_session_timeout, transaction_timeout
		return true
	case codeReadOnly, "58030": // a standby, a disk that fails
		return true
	}
	// 08 connection, 53 resources (disk full, too many connections), 57P operator
	// intervention (shutdown, starting up, session ended, idle_session_timeout).
	for _, class := range []string{"08", "53", "57P"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}
