package sandbox

import (
	"regexp"
	"strings"
)

// The parameters and values that many states have.
const (
	everyState = "world "
	inProgram  = everyState + "program "
	cardParams = inProgram + "amount=25.00 email phone customerName physical=false expiresAt"
	pastParams = inProgram + "amount=25.00 email phone customerName physical=false"
	cardValues = "cardId cardNumber lastFourDigits securityCode initialValue balance status expiresAt"
	taskParams = inProgram + "amount=10.00 count=60"
	userValues = "userId email password"
)

// states are all states. The names that clients send, GET /sandbox/states and the documentation
// come from this table alone. The first state is made for a client that names none.
var states = []state{
	entry("a world", "A world without cards.", everyState, "", emptyWorld),
	entry("an empty program", "A program of the world without cards.", everyState, "", emptyProgram),
	entry("a program with {count} cards", "A program of the world with pending cards.", everyState+"amount=25.00 count=3", "", programWithCards),
	entry("a program of another merchant", "The program of another merchant, which the token must not reach.", everyState, "merchantId", foreignProgram),
	entry("a card of another merchant", "A pending card in the program of another merchant.", everyState+"amount=25.00", cardValues, foreignCard),

	entry("a pending card", "A card that was issued and not activated.", cardParams, cardValues, pendingCard),
	entry("an active card", "A card with its whole value.", cardParams, cardValues, activeCard),
	entry("an active card with {amount}", "The same.", cardParams, cardValues, activeCard),
	entry("a depleted card", "A card from which everything was redeemed.", cardParams, cardValues, depletedCard),
	entry("a suspended card", "An active card that was suspended.", cardParams+" until", cardValues, suspendedCard),
	entry("a suspended card until {until}", "The same, with the end of the suspension.", cardParams+" until", cardValues, suspendedCard),
	entry("a card whose suspension is over", "An active card that was suspended until yesterday.", cardParams, cardValues, onceSuspendedCard),
	entry("a voided card", "A card that was activated and voided.", cardParams, cardValues, voidedCard),
	entry("an expired card", "A pending card that expired yesterday.", pastParams, cardValues, expiredCard),
	entry("an expired card with money", "A card that was activated, and expired yesterday.", pastParams, cardValues, expiredCardWithMoney),
	entry("an expired card with {amount}", "The same.", pastParams, cardValues, expiredCardWithMoney),
	entry("a card that expires in {days} days", "An active card that expires soon.", pastParams+" days=7", cardValues, expiringCard),
	entry("a dormant card", "An active card whose holder has not used it for so many days.", pastParams+" days=1000", cardValues, dormantCard),
	entry("a card with a ledger of {count} entries", "An active card with so many transactions.", cardParams+" count=10", cardValues, cardWithLedger),
	entry("a card to deliver later", "A pending card whose delivery is scheduled.", inProgram+"amount=25.00 email=recipient@example.com customerName deliverAt", cardValues+" deliverAt email", laterCard),
	entry("two cards of one customer", "Two active cards with the same e-mail address.", inProgram+"amount=25.00 email", cardValues+" email otherCardId otherCardNumber otherSecurityCode", twoCards),
	entry("a redemption", "An active card from which something was redeemed.", cardParams+" redeemed=10.00", cardValues+" transactionId redeemed", redemption),
	entry("a redemption of {redeemed}", "The same.", cardParams+" redeemed=10.00", cardValues+" transactionId redeemed", redemption),
	entry("a refunded redemption", "A redemption that was refunded, all of it.", cardParams+" redeemed=10.00", cardValues+" transactionId redeemed", refundedRedemption),
	entry("a locked security code", "An active card after five wrong security codes.", cardParams, cardValues, lockedCode),

	entry("a request answered under an idempotency key", "A card that was created with initialValue and merchantId under a key: the same request gets the same answer.", inProgram+"amount=25.00", cardValues+" idempotencyKey", answeredKey),
	entry("an idempotency key used with another body", "A key under which a card was created by another request.", inProgram+"amount=25.00", cardValues+" idempotencyKey", usedKey),

	entry("a completed task", "A bulk request that was issued by a task.", taskParams, "taskId count", completedTask),
	entry("a completed task of {count}", "The same.", taskParams, "taskId count", completedTask),
	entry("a failed task", "A bulk request whose task has failed.", taskParams, "taskId count", failedTask),
	ending(entry("a task in progress", "A bulk request whose task does not end before teardown.", taskParams, "taskId count", stuckTask), endTasks),

	entry("a user", "Another user of the merchant, who may log in. The token is theirs.", everyState+"role=issuer", userValues, otherUser),
	entry("a deactivated user", "A user who was deactivated. The token is theirs.", everyState+"role=issuer", userValues, deactivatedUser),
	entry("an ended token", "A token that was logged out.", everyState, "", endedToken),
	entry("an expired token", "A token whose time is over.", everyState, "", expiredToken),
	ending(entry("an exhausted rate limit", "A user whose requests are too many. The token is theirs.", everyState+"role=issuer requests", userValues, exhaustedRate), endExhausted),
	entry("an exhausted daily limit", "A user who may issue no more cards today. The token is theirs.", inProgram, userValues, exhaustedDay),
}

// entry returns a state. params and values are lists of names with blanks between them.
func entry(name, about, params, values string, do func(*scene) error) state {
	st := state{name: name, about: about, params: parameters(params), values: strings.Fields(values), make: do}
	pattern := regexp.MustCompile(`\\\{(\w+)\\\}`).ReplaceAllStringFunc(regexp.QuoteMeta(name), func(quoted string) string {
		param := strings.Trim(quoted, `\{}`)
		return "(?P<" + param + ">" + patterns[parametersByName[param].kind] + ")"
	})
	st.pattern = regexp.MustCompile("^" + pattern + "$")
	return st
}

// ending returns the state with a function that ends it.
func ending(st state, undo func(*scene) error) state {
	st.undo = undo
	return st
}

// worldValues are the names of the values that a client gets with every state.
var worldValues = []string{"world", "merchantId", "programId", "token", "cashierToken", "readerToken"}

// meanings describes each value.
//
//nolint:gosec // it says what a password is
var meanings = map[string]string{
	"world":             "The world's name.",
	"merchantId":        "The merchant.",
	"programId":         "The program.",
	"token":             "A bearer token of an issuer, or of the user that the state is about.",
	"cashierToken":      "A bearer token of the world's cashier.",
	"readerToken":       "A bearer token of the world's reader.",
	"cardId":            "The card.",
	"cardNumber":        "Its number.",
	"lastFourDigits":    "The last four digits of its number.",
	"securityCode":      "Its security code.",
	"initialValue":      "The value that it was issued for.",
	"balance":           "What is on it.",
	"status":            "Its state.",
	"expiresAt":         "When it expires.",
	"deliverAt":         "When it is sent.",
	"email":             "The e-mail address.",
	"otherCardId":       "The second card.",
	"otherCardNumber":   "The number of the second card.",
	"otherSecurityCode": "The security code of the second card.",
	"transactionId":     "The redemption.",
	"redeemed":          "What was redeemed.",
	"idempotencyKey":    "The idempotency key.",
	"taskId":            "The task.",
	"count":             "How many cards the task issues.",
	"userId":            "The user.",
	"password":          "The user's password.",
}
