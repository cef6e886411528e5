package main

import (
	"fmt"
	"time"

	"giftcards/server/validate/email"
	"giftcards/store"
	"giftcards/store/id"
)

type userCommand struct {
	Create     createUser     `cmd:"" help:"Create a user of a merchant; the password comes from the terminal or standard input."`
	List       listUsers      `cmd:"" help:"List all users, or those of a merchant."`
	Password   changePassword `cmd:"" help:"Change a user's password and end their tokens; the password comes from the terminal or standard input."`
	Role       changeRole     `cmd:"" help:"Change what a user may do."`
	Deactivate deactivateUser `cmd:"" help:"Refuse a user's logins and all their tokens, at once."`
	Activate   activateUser   `cmd:"" help:"Let a user log in again; old tokens stay refused."`
	Limits     limitUser      `cmd:"" help:"Limit how much a user may issue a day, in all programs together."`
}

type createUser struct {
	Merchant id.ID  `required:"" placeholder:"ID" help:"The user's merchant."`
	Name     string `help:"The user's name."`
	Role     string `enum:"issuer,cashier,reader" default:"issuer" help:"issuer; cashier, who serves at a till and issues nothing; or reader, who changes nothing and reads no security codes (${default})."`
	Email    string `arg:"" help:"E-mail address, which is the user name."`
}

type listUsers struct {
	Merchant *id.ID `placeholder:"ID" help:"Only users of this merchant."`
}

type (
	changePassword struct {
		Email string `arg:"" help:"E-mail address of the user."`
	}
	changeRole struct {
		Email string `arg:"" help:"E-mail address of the user."`
		Role  string `arg:"" enum:"issuer,cashier,reader" help:"issuer; cashier, who serves at a till and issues nothing; or reader, who changes nothing and reads no security codes."`
	}
	deactivateUser struct {
		Email string `arg:"" help:"E-mail address of the user."`
	}
	activateUser struct {
		Email string `arg:"" help:"E-mail address of the user."`
	}
	limitUser struct {
		Email       string `arg:"" help:"E-mail address of the user."`
		dailyLimits `embed:""`
	}
)

type printedUser struct {
	ID         id.ID     `json:"id"`
	MerchantID id.ID     `json:"merchantId"`
	Email      string    `json:"email"`
	Name       *string   `json:"name"`
	Role       string    `json:"role"`
	Active     bool      `json:"active"`
	CreatedAt  time.Time `json:"createdAt"`
	printedLimits
}

// toPrintedUser leaves out the password hash.
func toPrintedUser(u store.User, limits store.Limits) printedUser {
	return printedUser{
		ID: u.ID, MerchantID: u.MerchantID, Email: u.Email, Name: u.Name, Role: u.Role, Active: u.Active, CreatedAt: u.CreatedAt,
		printedLimits: printedLimits(limits),
	}
}

func (c createUser) Run(s *session) error {
	address, reason := email.Normalize(c.Email)
	if reason != "" {
		return fmt.Errorf("%q is not an e-mail address: %s", c.Email, reason)
	}
	// Ask before the transaction begins, because a person takes time to type.
	hash, err := s.askPassword()
	if err != nil {
		return err
	}
	user := store.User{MerchantID: c.Merchant, Email: address, PasswordHash: hash, Role: c.Role}
	if c.Name != "" {
		user.Name = &c.Name
	}
	return s.changeUser("user create", c.Merchant.String(), func(tx *store.Tx) (store.User, error) { return tx.AddUser(s, user) })
}

func (c listUsers) Run(s *session) error {
	return printRead(s, func(tx *store.Tx) ([]printedUser, error) {
		limits, err := tx.Limits(s)
		if err != nil {
			return nil, err
		}
		rows, err := tx.Users(s)
		if c.Merchant != nil && err == nil {
			rows, err = ofMerchant(s, tx, *c.Merchant, rows, func(u store.User) id.ID { return u.MerchantID })
		}
		return each(rows, err, func(u store.User) printedUser { return toPrintedUser(u, limits[u.ID]) })
	})
}

func (c changePassword) Run(s *session) error {
	hash, err := s.askPassword()
	if err != nil {
		return err
	}
	return s.changeUser("user password", c.Email, func(tx *store.Tx) (store.User, error) { return tx.SetPassword(s, c.Email, hash) })
}

func (c changeRole) Run(s *session) error {
	return s.changeUser("user role", c.Email, func(tx *store.Tx) (store.User, error) { return tx.SetRole(s, c.Email, c.Role) })
}

func (c deactivateUser) Run(s *session) error {
	return s.changeUser("user deactivate", c.Email, func(tx *store.Tx) (store.User, error) { return tx.SetActive(s, c.Email, false) })
}

func (c activateUser) Run(s *session) error {
	return s.changeUser("user activate", c.Email, func(tx *store.Tx) (store.User, error) { return tx.SetActive(s, c.Email, true) })
}

func (c limitUser) Run(s *session) error {
	limits, err := c.parse()
	if err != nil {
		return err
	}
	return s.changeUser("user limits", c.Email, func(tx *store.Tx) (store.User, error) {
		user, err := tx.FindUserByEmail(s, c.Email)
		if err != nil {
			return store.User{}, err
		}
		return user, setLimits(s, tx, user.ID, limits)
	})
}

// changeUser runs do and its audit entry in one transaction, and prints the user. An
// error for a missing user or merchant names it by named.
func (s *session) changeUser(command, named string, do func(*store.Tx) (store.User, error)) error {
	return printWritten(s, func(tx *store.Tx) (printedUser, error) {
		user, err := do(tx)
		if err != nil {
			return printedUser{}, naming(named, err)
		}
		// The printed user includes the limits, which are rows of another table.
		limits, err := tx.Limits(s)
		if err != nil {
			return printedUser{}, err
		}
		return toPrintedUser(user, limits[user.ID]), s.audit(tx, store.AuditEntry{Operation: command, MerchantID: user.MerchantID, Subject: user.ID[:]})
	})
}
