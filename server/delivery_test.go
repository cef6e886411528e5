package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
)

// desk has a merchant whose cards are sent again, and looks into the database.
type desk struct {
	*testing.T
	s  *servertest.Server
	m  *servertest.Merchant
	db *pgx.Conn
}

func newDesk(t *testing.T, s *servertest.Server) desk {
	t.Helper()
	db, err := pgx.Connect(t.Context(), s.DatabaseURL)
	must(t, err)
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	return desk{t, s, s.Merchant(), db}
}

// card issues a card of 25.00; more continues the JSON object of the request.
func (d desk) card(more string) string {
	d.Helper()
	answer := d.m.Do(http.MethodPost, d.m.Cards(), jsonHeader, fmt.Appendf(nil, `{"initialValue":"25","merchantId":%q%s}`, d.m.ID, more))
	var card struct{ ID string }
	if err := json.Unmarshal(answer.Body, &card); err != nil || answer.Status != http.StatusCreated {
		d.Fatalf("create: %d %s", answer.Status, answer.Body)
	}
	return card.ID
}

func (d desk) active(more string) string {
	d.Helper()
	card := d.card(more)
	d.want(d.post(card, "activate", "", "{}"), 200, `"status":"active"`)
	return card
}

func (d desk) post(card, path, key, body string) servertest.Answer {
	d.Helper()
	return changeCard(d.m, card+"/"+path, key, body)
}

func (d desk) schedule(card, body string) servertest.Answer {
	d.Helper()
	return d.m.Do(http.MethodPatch, d.m.Cards()+"/"+card+"/schedule", jsonHeader, []byte(body))
}

func (d desk) want(answer servertest.Answer, status int, parts ...string) {
	d.Helper()
	for _, part := range parts {
		if answer.Status != status || !strings.Contains(string(answer.Body), part) {
			d.Errorf("%d %s, want %d %s", answer.Status, answer.Body, status, part)
		}
	}
}

// query returns what a statement finds about a card, as texts.
func (d desk) query(card, sql string) []string {
	d.Helper()
	parsed, err := id.Parse(card)
	must(d.T, err)
	rows, err := d.db.Query(d.Context(), sql, parsed[:])
	must(d.T, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(d.T, err)
	return found
}

func (d desk) exec(card, sql string) {
	d.Helper()
	parsed, err := id.Parse(card)
	must(d.T, err)
	_, err = d.db.Exec(d.Context(), sql, parsed[:])
	must(d.T, err)
}

// messages are the card's, each as channel, kind, sequence, status and address.
func (d desk) messages(card string) string {
	d.Helper()
	return strings.Join(d.query(card, `select concat_ws(' ', channel, kind, sequence, status, address) from messages where card_id = $1 order by sequence, channel`), "\n")
}

func (d desk) entries(card string) string {
	d.Helper()
	return strings.Join(d.query(card, `select concat_ws(' ', type, amount, balance_after) from ledger_entries where card_id = $1 order by id`), "\n")
}

// code opens the security code of a card.
func (d desk) code(card string) string {
	d.Helper()
	parsed, err := id.Parse(card)
	must(d.T, err)
	var sealed []byte
	must(d.T, d.db.QueryRow(d.Context(), "select sealed_code from gift_cards where id = $1", parsed[:]).Scan(&sealed))
	code, err := d.s.Store.OpenCode(parsed, sealed)
	must(d.T, err)
	return code
}

func (d desk) is(what, got, want string) {
	d.Helper()
	if got != want {
		d.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

const owner = `{"newOwnerName":"Bob","newOwnerEmail":"bob@example.com"}`

// TestTheStateOfACardDecidesWhetherItIsSent: every state for each of the three operations.
func TestTheStateOfACardDecidesWhetherItIsSent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	const notActive, ended, void = "Gift card is not active", "Gift card has expired", "Gift card has been voided"
	for state, c := range map[string]struct {
		change                  string // of a card that was activated, or spent, unless it is pending
		resend, schedule, owner string // the refusal, "" for none
	}{
		"pending":                {"status = status", "", "", notActive},
		"active":                 {"status = status", "", "", ""},
		"suspended":              {"status = 'suspended', suspended_at = now()", notActive, notActive, notActive},
		"suspended until before": {"status = 'suspended', suspended_at = now(), suspended_until = now() - interval '1 hour'", "", "", ""},
		"expired":                {"expires_at = now()", ended, ended, ended},
		"voided":                 {"status = 'voided'", void, void, void},
		"depleted":               {"status = status", notActive, notActive, notActive},
	} {
		for operation, refusal := range map[string]string{"resend-code": c.resend, "schedule": c.schedule, "transfer-ownership": c.owner} {
			card := d.card(`,"customerEmail":"ada@example.com"`)
			if state != "pending" {
				d.want(d.post(card, "activate", "", "{}"), 200, `"status":"active"`)
			}
			if state == "depleted" || state == "voided" {
				d.want(d.post(card, "redeem", "", `{"amount":"25"}`), 200, `"remainingBalance":"0.00"`)
			}
			d.exec(card, "update gift_cards set "+c.change+" where id = $1")
			before := d.messages(card) + d.entries(card) + d.code(card)
			var answer servertest.Answer
			switch operation {
			case "schedule":
				answer = d.schedule(card, `{"deliverAt":null}`)
			case "resend-code":
				answer = d.post(card, operation, "", "")
			default:
				answer = d.post(card, operation, "", owner)
			}
			if refusal == "" {
				d.want(answer, 200, `"id":"`+card+`"`)
				continue
			}
			d.want(answer, 400, `{"detail":"`+refusal+`"}`)
			if after := d.messages(card) + d.entries(card) + d.code(card); after != before {
				t.Errorf("%s of a card that is %s is refused and changes it:\n%s\n%s", operation, state, before, after)
			}
		}
	}
}

// TestUnderAKeyACardIsSentOnce: a retry gets the first answer, another body is refused, and the
// same key serves another card.
func TestUnderAKeyACardIsSentOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	for path, c := range map[string]struct{ body, other, entry string }{
		"resend-code":        {"", `{"customerName":"Bob"}`, "RESEND_CODE 0 25"},
		"transfer-ownership": {owner, `{"newOwnerName":"Eve","newOwnerEmail":"bob@example.com"}`, "OWNERSHIP_TRANSFER 0 25"},
	} {
		card, second := d.active(`,"customerEmail":"ada@example.com"`), d.active(`,"customerEmail":"ada@example.com"`)
		first := d.post(card, path, "k", c.body)
		code := d.code(card)
		again := d.post(card, path, "k", c.body)
		if !bytes.Equal(first.Body, again.Body) || again.Header.Get("Idempotent-Replayed") != "true" || d.code(card) != code {
			t.Errorf("%s: %d %s, then %d %s", path, first.Status, first.Body, again.Status, again.Body)
		}
		d.want(d.post(card, path, "k", c.other), 422, "idempotency-key was used for another request")
		d.want(d.post(second, path, "k", c.body), 200, `"id":"`+second+`"`)
		d.is("entries", d.entries(card), "ACTIVATION 25 25\n"+c.entry)
	}
}

// TestACardGetsAnotherOwner: a digital one has a new code and is mailed; a physical one keeps
// its code, and nothing is sent. Nothing goes to the owner before any more.
func TestACardGetsAnotherOwner(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	const recipient = `,"customerEmail":"ada@example.com","customerPhone":"+442079460018","customerName":"Ada","deliverAt":"2100-01-01T00:00:00Z","expiresAt":"`
	expiry := time.Now().AddDate(4, 0, 0).UTC().Format(time.RFC3339)
	for physical, messages := range map[bool]string{
		false: "email card 0 dropped ada@example.com\nsms card 0 dropped +442079460018\nemail owner 1 scheduled bob@example.com",
		true:  "email card 0 dropped ada@example.com\nsms card 0 dropped +442079460018",
	} {
		more := strings.Replace(recipient, "2100-01-01T00:00:00Z", time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339), 1) + expiry + `","isPhysical":` + strconv.FormatBool(physical)
		card := d.active(more)
		before := d.code(card)
		d.want(d.post(card, "transfer-ownership", "", `{"newOwnerName":"<b>Bob</b>\u0007","newOwnerEmail":"bob@EXAMPLE.com"}`), 200,
			`"customerName":"Bob`, `"customerEmail":"bob@example.com"`, `"customerPhone":null`, `"customerId":null`, `"deliverAt":null`, `"balance":"25.00"`)
		d.is("messages", d.messages(card), messages)
		d.is("entries", d.entries(card), "ACTIVATION 25 25\nOWNERSHIP_TRANSFER 0 25")
		if changed := d.code(card) != before; changed == physical {
			t.Errorf("physical %v, and the code changes: %v", physical, changed)
		}
	}
}

// TestAnotherOwnerThatCannotBeIsRefused: a name of markup alone, and every customer, because
// there are none yet, whatever the state of the card is.
func TestAnotherOwnerThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	card := d.card("")
	for _, name := range []string{"<b></b>", `\u0000`, "", " <i> </i> "} {
		answer := d.post(card, "transfer-ownership", "", `{"newOwnerName":"`+name+`","newOwnerEmail":"bob@example.com"}`)
		d.want(answer, 422, `"type":"string_too_short","loc":["body","newOwnerName"],"msg":"String should have at least 1 character"`)
	}
	d.want(d.post(card, "transfer-ownership", "", `{"newOwnerName":"Bob","newOwnerEmail":"bob@example.com","newOwnerCustomerId":"5eb7cf5a86d9755df3a6c594"}`), 404, `{"detail":"Customer not found"}`)
	d.want(d.post("000000000000000000000001", "transfer-ownership", "", owner), 404, `{"detail":"Gift card not found"}`)
}

// TestAResentCardIsInTheOutbox: the worker writes it with its new code under another
// Message-ID, to the mended address.
func TestAResentCardIsInTheOutbox(t *testing.T) {
	t.Parallel()
	d := newDesk(t, servertest.New(t))
	card := d.active(`,"customerEmail":"ada@example.com","customerName":"Ada","senderName":"Grace"`)
	mail := func(has ...string) string {
		d.Helper()
		for range 1500 {
			text, err := os.ReadFile(filepath.Join(d.s.Outbox, card+".eml"))
			ok := err == nil
			for _, part := range has {
				ok = ok && strings.Contains(string(text), part)
			}
			if ok {
				return string(text)
			}
			time.Sleep(10 * time.Millisecond)
		}
		d.Fatalf("no mail has %q", has)
		return ""
	}
	mail("To: <ada@example.com>", "Message-ID: <"+card+"@example.com>", "Grace sent you a gift card")
	d.want(d.post(card, "resend-code", "", `{"customerEmail":"ada@example.net"}`), 200, `"delivered":false`)
	mail("To: <ada@example.net>", "Message-ID: <"+card+".1@example.com>", "Subject: New security code for your gift card", d.code(card))
	d.want(d.post(card, "transfer-ownership", "", owner), 200, `"customerEmail":"bob@example.com"`)
	if text := mail("To: <bob@example.com>", "Message-ID: <"+card+".2@example.com>", "Subject: A gift card from Test merchant is yours now", d.code(card)); strings.Contains(text, "Grace") {
		t.Errorf("the new owner reads of the sender: %s", text)
	}
}

// TestAnOperatorsDropOfAUserReachesWhatTheUserResent, and not what another user did.
func TestAnOperatorsDropOfAUserReachesWhatTheUserResent(t *testing.T) {
	t.Parallel()
	s := withoutJobs(t)
	i := newIssuer(t, s, s.Merchant())
	i.drop(store.MessageFilter{User: i.id})
	answer := i.merchant.Do(http.MethodPost, i.merchant.Cards()+"/"+i.alone+"/resend-code", http.Header{"Content-Type": {"application/json"}, "Authorization": {i.bearer}}, nil)
	if answer.Status != 200 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	other := newIssuer(t, s, i.merchant)
	if n := len(other.drop(store.MessageFilter{User: other.id})); n != messagesOfAnIssuer {
		t.Errorf("%d messages of the other user were dropped", n)
	}
	if n := len(i.drop(store.MessageFilter{User: i.id})); n != 1 {
		t.Errorf("%d messages were dropped, want the one that was resent", n)
	}
}
