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

// The kinds of error. Whatever is not an *Error is a fault of ours.
const (
	NotFound    Kind = iota + 1 // there is no such thing
	Forbidden                   // it is somebody else's
	Conflict                    // it contradicts what is stored
	Unavailable                 // the database is away; the same later may work
	Exhausted                   // the caller has too much under way; the same later may work
)

// Error is a refusal with a cause that its receiver understands.
type Error struct {
	Kind Kind
	// Message is a sentence for the receiver, without inner details.
	Message string
	// Err is the cause, for the log; it may be nil.
	Err error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// The refusals that the database decides. What may be sent at all is in
// docs/contract.md#rules-beyond-the-schema.
var (
	ErrProgramNotFound  = &Error{Kind: NotFound, Message: "Program not found"}
	ErrProgramForbidden = &Error{Kind: Forbidden, Message: "Program belongs to another merchant"}
	ErrReadOnly         = &Error{Kind: Forbidden, Message: "User may not issue gift cards"}
	ErrLinkEnded        = &Error{Kind: Forbidden, Message: "Download link is invalid or has expired"}
	ErrTaskNotFound     = &Error{Kind: NotFound, Message: "Task not found"}
	ErrMerchantNotFound = &Error{Kind: NotFound, Message: "Merchant not found"}
	ErrCardNotFound     = &Error{Kind: NotFound, Message: "Card not found"}
	ErrUserNotFound     = &Error{Kind: NotFound, Message: "User not found"}
	ErrBadName          = &Error{Kind: Conflict, Message: "A name must have 1 to 255 characters"}
	ErrBadZone          = &Error{Kind: Conflict, Message: "A time zone must have a name of the IANA database, such as Europe/Paris"}
	ErrEmailTaken       = &Error{Kind: Conflict, Message: "A user with this e-mail address exists"}
	ErrBacklogFull      = &Error{Kind: Exhausted, Message: "Too many cards of the merchant are waiting to be issued"}
	// ErrKeyReused says that the idempotency key was used for another request.
	ErrKeyReused = &Error{Kind: Conflict, Message: "idempotency-key was used for another request"}
)

// ErrAccessChanged says that nothing was done since token or user are not as they
// were when the access was found.
var ErrAccessChanged = &Error{Kind: Unavailable, Message: "Service unavailable"}

// Constraints that the code asks about, as the schema names them.
const (
	constraintCardNumber      = "gift_cards_card_number_key"
	constraintUserEmail       = "users_email_key"
	constraintUserMerchant    = "users_merchant_id_fkey"
	constraintProgramMerchant = "programs_merchant_id_fkey"
)

// codeLockTimeout is the SQLSTATE of a statement that waited for a lock for too long.
const codeLockTimeout = "55P03"

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

// IsUnavailable reports whether err says that the database is away or too busy,
// so that the same may work later.
func IsUnavailable(err error) bool { return err != nil && unavailable(err) }

// classify makes an Unavailable error of whatever says that the database is
// away or too busy, and leaves other errors as they are.
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
	// pgx reports a connection that ends in mid-use as the bare end of its input.
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, puddle.ErrClosedPool) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err)
}

// passing reports whether a SQLSTATE says that the same may work later.
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
