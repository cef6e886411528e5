package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/google/uuid"

	"giftcards/store"
	"giftcards/store/id"
)

// audit records the operator's command in the audit log, in the command's transaction.
func (s *session) audit(tx *store.Tx, e store.AuditEntry) error {
	e.Client = operator()
	return tx.Audit(s, e)
}

// operator returns the account that runs the command and its machine, as account@machine.
func operator() string {
	account := strconv.Itoa(os.Getuid())
	if current, err := user.Current(); err == nil {
		account = current.Username
	}
	if host, err := os.Hostname(); err == nil {
		account += "@" + host
	}
	return account
}

type auditCommand struct {
	List listAudit `cmd:"" help:"List who did what, the latest first."`
}

type listAudit struct {
	Merchant *id.ID        `placeholder:"ID" help:"Only entries of this merchant."`
	User     *id.ID        `placeholder:"ID" help:"Only entries of this user."`
	Since    time.Duration `placeholder:"DURATION" help:"Only entries that are younger than this, such as 24h. Default: all."`
	Limit    int           `default:"100" help:"Most entries to list (${default})."`
}

type printedAuditEntry struct {
	At         time.Time `json:"at"`
	Operation  string    `json:"operation"`
	UserID     *id.ID    `json:"userId"` // null for an operator or a worker
	MerchantID *id.ID    `json:"merchantId"`
	ProgramID  *id.ID    `json:"programId"`
	Subject    *string   `json:"subject"` // id of a card, task, user, merchant or program; the first card of a bulk request; both cards of a transfer
	Cards      int32     `json:"cards"`
	Client     string    `json:"client"`
	RequestID  *string   `json:"requestId"` // made by the server
	// ClientRequestID is the X-Request-Id that the caller sent.
	ClientRequestID *string `json:"clientRequestId"`
}

func toPrintedAuditEntry(e store.AuditEntry) printedAuditEntry {
	printed := printedAuditEntry{
		At: e.At.UTC(), Operation: e.Operation, UserID: orNull(e.UserID), MerchantID: orNull(e.MerchantID), ProgramID: orNull(e.ProgramID),
		Cards: e.Cards, Client: e.Client, RequestID: e.RequestID, ClientRequestID: e.ClientRequestID,
	}
	if len(e.Subject) > 0 {
		subject := hex.EncodeToString(e.Subject)
		// Only a task's id has 16 bytes; the others have 12.
		if task, err := uuid.FromBytes(e.Subject); err == nil {
			subject = task.String()
		}
		printed.Subject = &subject
	}
	return printed
}

func orNull(i id.ID) *id.ID {
	if i.IsZero() {
		return nil
	}
	return &i
}

func (c listAudit) Run(s *session) error {
	if c.Limit < 1 || c.Limit > maxListed {
		return fmt.Errorf("--limit: want 1 to %d", maxListed)
	}
	if c.Since < 0 {
		return errors.New("--since: want a duration such as 24h")
	}
	var merchant, user id.ID // zero matches all
	for _, asked := range []struct{ flag, into *id.ID }{{c.Merchant, &merchant}, {c.User, &user}} {
		if asked.flag == nil {
			continue
		}
		// A zero id that was named would match all, but nobody has this id.
		if *asked.into = *asked.flag; asked.into.IsZero() {
			return s.printJSON([]printedAuditEntry{})
		}
	}
	return printRead(s, func(tx *store.Tx) ([]printedAuditEntry, error) {
		var since time.Time
		if c.Since > 0 {
			since = tx.Now().Add(-c.Since)
		}
		rows, err := tx.AuditEntries(s, merchant, user, since, c.Limit)
		return each(rows, err, toPrintedAuditEntry)
	})
}
