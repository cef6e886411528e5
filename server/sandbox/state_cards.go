package sandbox

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
)

const day = 24 * time.Hour

// issue creates a card with the scene's parameters. at is the time of the request, and zero means
// now. more are further properties of the request.
func (c *scene) issue(at time.Time, more map[string]any) (api.GiftCardResponse, error) {
	body := map[string]any{"initialValue": c.params["amount"], "merchantId": c.values["merchantId"]}
	for param, property := range map[string]string{"email": "customerEmail", "phone": "customerPhone", "customerName": "customerName", "expiresAt": "expiresAt"} {
		if value := c.params[param]; value != "" {
			body[property] = value
		}
	}
	if c.params["physical"] == "true" {
		body["isPhysical"] = true
	}
	maps.Copy(body, more)
	var card api.GiftCardResponse
	err := c.do(step{method: http.MethodPost, path: "/cards", body: body, at: at}, &card)
	return card, err
}

// change sends a request that changes a card. operation is the end of the path, such as redeem.
func (c *scene) change(card api.GiftCardResponse, operation string, body map[string]any, at time.Time) error {
	return c.do(step{method: http.MethodPost, path: "/cards/" + card.Id + "/" + operation, body: body, at: at}, nil)
}

// issueActive creates a card at a time and activates it.
func (c *scene) issueActive(at time.Time, more map[string]any) (api.GiftCardResponse, error) {
	card, err := c.issue(at, more)
	if err == nil {
		err = c.change(card, "activate", nil, at)
	}
	return card, err
}

// ago returns a time before now, or after now if the duration is negative.
func (c *scene) ago(d time.Duration) time.Time { return c.sandbox.Store.Clock().Add(-d) }

func pendingCard(c *scene) error {
	card, err := c.issue(time.Time{}, nil)
	if err != nil {
		return err
	}
	return c.tell(card.Id)
}

func activeCard(c *scene) error {
	card, err := c.issueActive(time.Time{}, nil)
	if err != nil {
		return err
	}
	return c.tell(card.Id)
}

// changedCard makes an active card and changes it once more.
func (c *scene) changedCard(operation string, body map[string]any) error {
	card, err := c.issueActive(time.Time{}, nil)
	if err == nil {
		err = c.change(card, operation, body, time.Time{})
	}
	if err != nil {
		return err
	}
	return c.tell(card.Id)
}

func depletedCard(c *scene) error {
	return c.changedCard("redeem", map[string]any{"amount": c.params["amount"]})
}

func voidedCard(c *scene) error { return c.changedCard("void", nil) }

func suspendedCard(c *scene) error {
	body := map[string]any{"reason": "Reported lost"}
	if until := c.params["until"]; until != "" {
		body["suspendedUntil"] = until
	}
	return c.changedCard("suspend", body)
}

func onceSuspendedCard(c *scene) error {
	begin, end := c.ago(3*day), c.ago(day)
	card, err := c.issueActive(begin, nil)
	if err == nil {
		err = c.change(card, "suspend", map[string]any{"reason": "Reported lost", "suspendedUntil": end}, begin)
	}
	if err != nil {
		return err
	}
	return c.tell(card.Id)
}

// expired makes a card that was issued a month ago and expired yesterday.
func (c *scene) expired(issue func(time.Time, map[string]any) (api.GiftCardResponse, error)) error {
	card, err := issue(c.ago(30*day), map[string]any{"expiresAt": c.ago(day)})
	if err != nil {
		return err
	}
	return c.tell(card.Id)
}

func expiredCard(c *scene) error { return c.expired(c.issue) }

func expiredCardWithMoney(c *scene) error { return c.expired(c.issueActive) }

func expiringCard(c *scene) error {
	card, err := c.issueActive(time.Time{}, map[string]any{"expiresAt": c.ago(-c.days())})
	if err != nil {
		return err
	}
	return c.tell(card.Id)
}

// days returns the parameter "days", whose form parameter.read has checked.
func (c *scene) days() time.Duration { return time.Duration(c.counted("days")) * day }

// counted returns a parameter that is a whole number, whose form parameter.read has checked.
func (c *scene) counted(param string) int {
	n, _ := strconv.Atoi(c.params[param])
	return n
}

func dormantCard(c *scene) error {
	begin := c.ago(c.days())
	card, err := c.issueActive(begin, map[string]any{"expiresAt": store.LatestExpiry(begin)})
	if err != nil {
		return err
	}
	return c.tell(card.Id)
}

// cardWithLedger redeems and reloads a cent in turn until the ledger has as many entries as the
// client wants. It does so in one transaction, because as many requests would take seconds.
func cardWithLedger(c *scene) error {
	card, err := c.issueActive(time.Time{}, nil)
	if err != nil {
		return err
	}
	cardID, err := id.Parse(card.Id)
	if err != nil {
		return err
	}
	cent, err := money.Parse("0.01")
	if err != nil {
		return err
	}
	err = store.Do(c.request.Context(), c.sandbox.Store, func(tx *store.Tx) error {
		locked, err := tx.LockCard(c.request.Context(), c.program, cardID)
		// The activation is the first entry.
		for n := 1; n < c.counted("count") && err == nil; n++ {
			// The last cent stays, because a depleted card takes no reload.
			if n%2 == 1 && locked.Balance.Cmp(cent) > 0 {
				_, err = locked.Redeem(cent, store.Details{})
			} else {
				_, err = locked.Reload(cent, store.Details{})
			}
		}
		if err != nil {
			return err
		}
		return tx.SaveCards(c.request.Context(), locked)
	})
	if err != nil {
		return err
	}
	return c.tell(card.Id)
}

func laterCard(c *scene) error {
	deliverAt := c.params["deliverAt"]
	if deliverAt == "" {
		deliverAt = c.ago(-7 * day).Truncate(time.Second).Format(time.RFC3339)
	}
	card, err := c.issue(time.Time{}, map[string]any{"deliverAt": deliverAt})
	if err != nil {
		return err
	}
	c.values["deliverAt"], c.values["email"] = deliverAt, c.params["email"]
	return c.tell(card.Id)
}

func twoCards(c *scene) error {
	if c.params["email"] == "" {
		c.params["email"] = "customer-" + uuid.NewString()[:8] + "@example.com"
	}
	c.values["email"] = c.params["email"]
	other, err := c.issueActive(time.Time{}, nil)
	if err == nil {
		err = c.tell(other.Id)
	}
	if err != nil {
		return err
	}
	c.values["otherCardId"], c.values["otherCardNumber"], c.values["otherSecurityCode"] = c.values["cardId"], c.values["cardNumber"], c.values["securityCode"]
	return activeCard(c)
}

func redemption(c *scene) error {
	card, err := c.issueActive(time.Time{}, nil)
	if err != nil {
		return err
	}
	var redeemed api.RedeemResponse
	err = c.do(step{method: http.MethodPost, path: "/cards/" + card.Id + "/redeem", body: map[string]any{"amount": c.params["redeemed"]}}, &redeemed)
	if err != nil {
		return err
	}
	c.values["transactionId"], c.values["redeemed"] = redeemed.TransactionId, redeemed.AmountRedeemed
	return c.tell(card.Id)
}

func refundedRedemption(c *scene) error {
	if err := redemption(c); err != nil {
		return err
	}
	card, entry := c.values["cardId"].(string), c.values["transactionId"].(string)
	err := c.do(step{method: http.MethodPost, path: "/cards/" + card + "/transactions/" + entry + "/refund", body: map[string]any{"amount": c.params["redeemed"]}}, nil)
	if err != nil {
		return err
	}
	return c.tell(card)
}

// lockedCode asks the store and not the server, because the server would also count the wrong
// codes against the client's address.
func lockedCode(c *scene) error {
	if err := activeCard(c); err != nil {
		return err
	}
	number, right := c.values["cardNumber"].(string), c.values["securityCode"].(string)
	wrong := "000000"
	if right == wrong {
		wrong = "000001"
	}
	// The loop ends, because the store locks a number after five wrong codes.
	for {
		_, err := c.sandbox.Store.CheckBalance(context.WithoutCancel(c.request.Context()), &c.program, number, wrong)
		if _, locked := errors.AsType[*store.NumberLockedError](err); locked {
			return nil
		}
		if !errors.Is(err, store.ErrCardNotFound) {
			return err
		}
	}
}

// underKey creates a card under a new idempotency key.
func (c *scene) underKey(more map[string]any) error {
	key := uuid.NewString()
	body := map[string]any{"initialValue": c.params["amount"], "merchantId": c.values["merchantId"]}
	maps.Copy(body, more)
	var card api.GiftCardResponse
	err := c.do(step{method: http.MethodPost, path: "/cards", body: body, header: map[string]string{"Idempotency-Key": key}}, &card)
	if err != nil {
		return err
	}
	c.values["idempotencyKey"] = key
	return c.tell(card.Id)
}

func answeredKey(c *scene) error { return c.underKey(nil) }

func usedKey(c *scene) error {
	// No client sends the same name.
	return c.underKey(map[string]any{"customerName": "Customer " + uuid.NewString()})
}
