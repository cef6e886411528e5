package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/id"
)

// shop is a merchant on a server. A test works on its cards.
type shop struct {
	t *testing.T
	s *servertest.Server
	m *servertest.Merchant
}

func newShop(t *testing.T, change ...func(*server.Options)) shop {
	t.Helper()
	return shopOn(t, servertest.New(t, change...))
}

func shopOn(t *testing.T, s *servertest.Server) shop {
	t.Helper()
	return shop{t, s, s.Merchant()}
}

// giftCard is a card of a shop, with its number and security code.
type giftCard struct{ id, number, code string }

// nowhere is a card that does not exist. Nothing else has its id either.
var nowhere = giftCard{"5eb7cf5a86d9755df3a6c596", "9000000000000000", "999999"}

// wrong returns a code that is not the card's.
func (c giftCard) wrong() string {
	if c.code == "000000" {
		return "000001"
	}
	return "000000"
}

// Fields of a request for a card. Each continues the JSON object.
const toAda = `,"customerEmail":"ada@example.com"`

func to(email, phone string) (fields string) {
	if email != "" {
		fields += fmt.Sprintf(`,"customerEmail":%q`, email)
	}
	if phone != "" {
		fields += fmt.Sprintf(`,"customerPhone":%q`, phone)
	}
	return fields
}

func expiring(at time.Time) string {
	return `,"expiresAt":"` + at.UTC().Format(time.RFC3339Nano) + `"`
}

// issue issues a card of a value.
func (x shop) issue(value string, fields ...string) giftCard {
	x.t.Helper()
	answer := x.m.Do(http.MethodPost, x.m.Cards(), jsonHeader, fmt.Appendf(nil, `{"initialValue":%q,"merchantId":%q%s}`, value, x.m.ID, strings.Join(fields, "")))
	issued := decode[api.GiftCardResponse](x.t, answer)
	return giftCard{issued.Id, issued.CardNumber, x.code(issued.Id)}
}

// sell issues a card and activates it.
func (x shop) sell(value string, fields ...string) giftCard {
	x.t.Helper()
	card := x.issue(value, fields...)
	x.done(card, "/activate", `{}`)
	return card
}

// The lifetimes of cards in the tests, and the time by which the clock moves to make the cards with
// the short lifetime expire.
const (
	long, short = 365 * 24 * time.Hour, time.Hour
	pastShort   = short + time.Minute
)

// lasting issues Ada's card of 25.00 that expires after a lifetime.
func (x shop) lasting(lifetime time.Duration) giftCard {
	x.t.Helper()
	return x.issue("25", toAda, expiring(x.s.Store.Clock().Add(lifetime)))
}

// active is lasting, but also activates the card and redeems 5.00 from it.
func (x shop) active(lifetime time.Duration) giftCard {
	x.t.Helper()
	card := x.lasting(lifetime)
	x.done(card, "/activate", `{}`)
	x.redeem(card, "5")
	return card
}

// passTime moves the clock until the cards with the short lifetime have expired, and logs the user
// in again.
func (x shop) passTime() { x.pass(pastShort) }

func (x shop) pass(by time.Duration) {
	x.t.Helper()
	x.s.Clock.Move(by)
	x.m.Token = x.s.Login(x.m.Email, x.m.Password)
}

// post sends a request to a path in the shop's program, under a key unless that is empty.
func (x shop) post(path, key, body string) servertest.Answer {
	x.t.Helper()
	return x.m.Do(http.MethodPost, "/v2/giftcards/programs/"+x.m.ProgramID+path, withKey(key), []byte(body))
}

// ask sends a request about a card.
func (x shop) ask(card giftCard, path, key, body string) servertest.Answer {
	x.t.Helper()
	return x.post("/cards/"+card.id+path, key, body)
}

// done is ask for a request that must succeed.
func (x shop) done(card giftCard, path, body string) servertest.Answer {
	x.t.Helper()
	answer := x.ask(card, path, "", body)
	if answer.Status != http.StatusOK {
		x.t.Fatalf("%s: %d %s", path, answer.Status, answer.Body)
	}
	return answer
}

// redeem takes an amount from a card and returns the id of the entry.
func (x shop) redeem(card giftCard, amount string) string {
	x.t.Helper()
	return decode[api.RedeemResponse](x.t, x.done(card, "/redeem", `{"amount":`+amount+`}`)).TransactionId
}

func (x shop) schedule(card giftCard, body string) servertest.Answer {
	x.t.Helper()
	return x.m.Do(http.MethodPatch, x.m.Cards()+"/"+card.id+"/schedule", jsonHeader, []byte(body))
}

// refundOf returns the path of the refund of an entry, below the path of the card.
func refundOf(entry string) string { return "/transactions/" + entry + "/refund" }

func transferBody(code, destination, amount string) string {
	return fmt.Sprintf(`{"securityCode":%q,"destinationCardNumber":%q,"amount":%q}`, code, destination, amount)
}

func (x shop) transfer(from giftCard, to, amount string) servertest.Answer {
	x.t.Helper()
	return x.ask(from, "/transfer", "", transferBody(from.code, to, amount))
}

// consolidate merges cards under a key unless that is empty.
func (x shop) consolidate(key, fields string, cards ...giftCard) servertest.Answer {
	x.t.Helper()
	numbers := make([]string, len(cards))
	for i, card := range cards {
		numbers[i] = card.number
	}
	return x.post("/consolidate", key, fmt.Sprintf(`{"cardNumbers":%s,"merchantId":%q%s}`, mustJSON(x.t, numbers), x.m.ID, fields))
}

// query returns the rows that a statement finds for a card, as texts.
func (x shop) query(card giftCard, sql string) []string {
	x.t.Helper()
	parsed, err := id.Parse(card.id)
	must(x.t, err)
	rows, err := x.s.Store.Pool().Query(x.t.Context(), sql, parsed)
	must(x.t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(x.t, err)
	return found
}

// exec changes a card by a statement, for example to a state that operations reach only after a
// long time.
func (x shop) exec(card giftCard, sql string) {
	x.t.Helper()
	parsed, err := id.Parse(card.id)
	must(x.t, err)
	_, err = x.s.Store.Pool().Exec(x.t.Context(), sql, parsed)
	must(x.t, err)
}

// set changes columns of the card's row.
func (x shop) set(card giftCard, assignments string) {
	x.t.Helper()
	x.exec(card, "update gift_cards set "+assignments+" where id = $1")
}

// ledger returns the entries of a card, oldest first, as the values of columns.
func (x shop) ledger(card giftCard, columns string) []string {
	x.t.Helper()
	return x.query(card, "select concat_ws(' ', "+columns+") from ledger_entries where card_id = $1 order by id")
}

// entries returns the card's ledger as lines of type, amount and balance afterwards.
func (x shop) entries(card giftCard) string {
	x.t.Helper()
	return strings.Join(x.ledger(card, "type, amount, balance_after"), "\n")
}

// entry returns the id of a card's first entry of a type, or an id that no entry has.
func (x shop) entry(card giftCard, kind string) string {
	x.t.Helper()
	return append(x.query(card, "select encode(id, 'hex') from ledger_entries where card_id = $1 and type = '"+kind+"' order by id"), nowhere.id)[0]
}

// messages returns the card's messages as lines of channel, kind, sequence, status and address.
func (x shop) messages(card giftCard) string {
	x.t.Helper()
	return strings.Join(x.query(card, `select concat_ws(' ', channel, kind, sequence, status, address) from messages where card_id = $1 order by sequence, channel`), "\n")
}

// code opens the security code of a card, because no answer contains it.
func (x shop) code(card string) string {
	x.t.Helper()
	parsed, err := id.Parse(card)
	must(x.t, err)
	var sealed []byte
	must(x.t, x.s.Store.Pool().QueryRow(x.t.Context(), "select sealed_code from gift_cards where id = $1", parsed).Scan(&sealed))
	code, err := x.s.Store.OpenCode(parsed, sealed)
	must(x.t, err)
	return code
}

// state returns the state of a card now, and its balance.
func (x shop) state(card giftCard) (state, balance string) {
	x.t.Helper()
	parsed, err := id.Parse(card.id)
	must(x.t, err)
	must(x.t, x.s.Store.Pool().QueryRow(x.t.Context(), `select card_state(status, activated_at, balance, expires_at, suspended_until, $1), balance::text
		from gift_cards where id = $2`, x.s.Store.Clock(), parsed).Scan(&state, &balance))
	return state, balance
}

// want fails the test unless the answer has the status and contains each of the parts.
func (x shop) want(answer servertest.Answer, status int, parts ...string) {
	x.t.Helper()
	for _, part := range append(parts, "") {
		if answer.Status != status || !strings.Contains(string(answer.Body), part) {
			x.t.Errorf("%d %s, want %d %s", answer.Status, answer.Body, status, part)
		}
	}
}

// says is want with the status and the words in one text, such as "400 Gift card is not active".
func (x shop) says(what string, answer servertest.Answer, want string) {
	x.t.Helper()
	status, words, _ := strings.Cut(want, " ")
	if fmt.Sprint(answer.Status) != status || !strings.Contains(string(answer.Body), words) {
		x.t.Errorf("%s: %d %s, want %s", what, answer.Status, answer.Body, want)
	}
}

// is fails the test unless two texts are equal.
func (x shop) is(what, got, want string) {
	x.t.Helper()
	if got != want {
		x.t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}
