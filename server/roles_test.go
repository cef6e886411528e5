package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/openapi"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest"
)

// How a role is refused.
const (
	mayNotIssue  = "User may not issue gift cards"
	mayNotChange = "User may not change gift cards"
	mayNotList   = "User may not list gift cards"
)

// forEverybody are the operations that every role may use, or that have no user.
const forEverybody = ""

// roleTable says of each operation how a cashier and a reader are refused. An issuer never is.
var roleTable = []struct{ operation, body, cashier, reader string }{
	{"GET /healthz", "", forEverybody, forEverybody},
	{"GET /readyz", "", forEverybody, forEverybody},
	{"POST /v2/token", "", forEverybody, forEverybody},
	{"GET /v2/token", "", forEverybody, forEverybody},
	{"POST /v2/token/logout", "", forEverybody, forEverybody},
	{"GET /v2/giftcards/downloads/{link}", "", forEverybody, forEverybody},
	{"GET /v2/giftcards/receipts/{receipt}", "", forEverybody, forEverybody},
	{"POST /v2/giftcards/receipts/{receipt}", "", forEverybody, forEverybody},
	{"POST " + programPath + "/balance-check", `{"cardNumber":"1","securityCode":"1"}`, forEverybody, forEverybody},
	{"POST /v2/giftcards/customer/balance-check", `{"cardNumber":"1","securityCode":"1"}`, forEverybody, forEverybody},

	{"POST " + programPath + "/cards", `{"initialValue":1,"merchantId":"{merchant}"}`, mayNotIssue, mayNotIssue},
	{"POST " + programPath + "/cards/bulk", `{"initialValue":1,"count":1}`, mayNotIssue, mayNotIssue},
	{"GET " + programPath + "/cards/bulk/{taskId}", "", mayNotList, forEverybody},

	{"GET " + cardPath, "", forEverybody, forEverybody},
	{"GET " + programPath + "/search", "", forEverybody, forEverybody},
	{"GET /v2/giftcards/programs/cards", "", mayNotList, forEverybody},
	{"GET " + programPath + "/reports/business", "", mayNotList, forEverybody},
	{"GET " + programPath + "/reports/expiration-warnings", "", mayNotList, forEverybody},
	{"GET " + programPath + "/reports/escheatment", "", mayNotList, forEverybody},

	{"POST " + cardPath + "/activate", `{}`, forEverybody, mayNotChange},
	{"POST " + cardPath + "/redeem", `{"amount":1}`, forEverybody, mayNotChange},
	{"POST " + cardPath + "/reload", `{"amount":1}`, forEverybody, mayNotChange},
	{"POST " + programPath + "/cards/reload-by-number", `{"amount":1,"cardNumber":"1"}`, forEverybody, mayNotChange},
	{"POST " + cardPath + "/transactions/{transactionId}/refund", `{}`, forEverybody, mayNotChange},

	{"POST " + cardPath + "/void", `{}`, mayNotChange, mayNotChange},
	{"POST " + cardPath + "/suspend", `{}`, mayNotChange, mayNotChange},
	{"POST " + cardPath + "/resume", "", mayNotChange, mayNotChange},
	{"POST " + cardPath + "/transfer", `{"amount":1,"securityCode":"123456","destinationCardNumber":"1"}`, mayNotChange, mayNotChange},
	{"POST " + cardPath + "/transfer-ownership", `{"newOwnerName":"Bo","newOwnerEmail":"bo@example.com"}`, mayNotChange, mayNotChange},
	{"POST " + cardPath + "/resend-code", `{}`, mayNotChange, mayNotChange},
	{"PATCH " + cardPath + "/schedule", `{"deliverAt":null}`, mayNotChange, mayNotChange},
	{"POST " + cardPath + "/process-expired", `{"action":"void"}`, mayNotChange, mayNotChange},
	{"POST " + programPath + "/consolidate", `{"merchantId":"{merchant}","cardNumbers":["1","2"]}`, mayNotChange, mayNotChange},
}

// requestAs sends a request of the table, about things that do not exist unless fill names them.
func requestAs(m *servertest.Merchant, operation, body string, fill ...string) servertest.Answer {
	filled := strings.NewReplacer(append(fill, "{programId}", m.ProgramID, "{merchant}", m.ID, "{cardId}", noEntry, "{transactionId}", noEntry,
		"{taskId}", "00000000-0000-4000-8000-000000000000", "{link}", "x", "{receipt}", "x")...)
	method, path, _ := strings.Cut(operation, " ")
	header := jsonHeader
	if body == "" {
		header = nil
	}
	return m.Do(method, filled.Replace(path), header, []byte(filled.Replace(body)))
}

// setRole changes the role of the merchant's user, as an operator does.
func setRole(t *testing.T, s *servertest.Server, m *servertest.Merchant, role string) {
	t.Helper()
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (store.User, error) { return tx.SetRole(t.Context(), m.Email, role) })
}

// TestEachRoleUsesItsOperationsAndNoOthers, for every operation of the document. The program is
// looked up before the role is judged, so that a stranger learns nothing about roles.
func TestEachRoleUsesItsOperationsAndNoOthers(t *testing.T) {
	t.Parallel()
	document, err := openapi.Load()
	must(t, err)
	listed := map[string]bool{}
	for _, row := range roleTable {
		listed[row.operation] = true
	}
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			if !listed[method+" "+path] {
				t.Errorf("%s %s is not in the table of roles", method, path)
			}
		}
	}
	s := servertest.New(t)
	m, stranger := s.Merchant(), s.Merchant()
	for _, role := range []string{store.RoleIssuer, store.RoleCashier, store.RoleReader} {
		setRole(t, s, m, role)
		for _, row := range roleTable {
			refusal := map[string]string{store.RoleCashier: row.cashier, store.RoleReader: row.reader}[role]
			answer := requestAs(m, row.operation, row.body)
			want := fmt.Sprintf(`{"detail":%q}`, refusal)
			if refusal != "" && (answer.Status != http.StatusForbidden || strings.TrimSpace(string(answer.Body)) != want) {
				t.Errorf("%s as %s: %d %s, want 403 %s", row.operation, role, answer.Status, answer.Body, want)
			}
			// A 422 would come before the role. A dead link is a 403 of its own.
			forbidden := answer.Status == http.StatusForbidden && !strings.Contains(row.operation, "{link}") && !strings.Contains(row.operation, "{receipt}")
			unjudged := answer.Status == http.StatusUnprocessableEntity && row.operation != "POST /v2/token"
			if refusal == "" && (forbidden || unjudged) {
				t.Errorf("%s as %s: %d %s", row.operation, role, answer.Status, answer.Body)
			}
			if strings.HasSuffix(row.operation, "/logout") {
				m.Token = s.Login(m.Email, m.Password)
			}
			if refusal == "" || !strings.Contains(row.operation, "{programId}") {
				continue
			}
			for program, want := range map[string]string{stranger.ProgramID: "403 Program belongs to another merchant", noEntry: "404 Program not found"} {
				other := requestAs(m, row.operation, row.body, "{programId}", program)
				if got := fmt.Sprint(other.Status, " ", string(other.Body)); !strings.HasPrefix(got, want[:3]) || !strings.Contains(got, want[4:]) {
					t.Errorf("%s as %s in another program: %s, want %s", row.operation, role, got, want)
				}
			}
		}
	}
}

// TestANewRoleHoldsAtOnce, for a user whose access is in the cache, in both directions.
func TestANewRoleHoldsAtOnce(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	create := func() servertest.Answer {
		return requestAs(x.m, "POST "+programPath+"/cards", `{"initialValue":1,"merchantId":"{merchant}"}`)
	}
	// Each of these starts from the cache, and so puts the access there first.
	card := x.active(long)
	for range 3 {
		setRole(t, x.s, x.m, store.RoleCashier)
		for name, c := range map[string]struct {
			answer servertest.Answer
			status int
			words  string
		}{
			"create":   {create(), http.StatusForbidden, mayNotIssue},
			"transfer": {x.ask(card, "/transfer", "", `{"amount":1,"securityCode":"123456","destinationCardNumber":"1"}`), http.StatusForbidden, mayNotChange},
			"void":     {x.ask(card, "/void", "", `{}`), http.StatusForbidden, mayNotChange},
			"redeem":   {x.ask(card, "/redeem", "", `{"amount":1}`), http.StatusOK, "Gift card redeemed"},
		} {
			if c.answer.Status != c.status || !strings.Contains(string(c.answer.Body), c.words) {
				t.Errorf("a cashier, %s: %d %s", name, c.answer.Status, c.answer.Body)
			}
		}
		setRole(t, x.s, x.m, store.RoleIssuer)
		if answer := create(); answer.Status != http.StatusCreated {
			t.Errorf("an issuer again: %d %s", answer.Status, answer.Body)
		}
		setRole(t, x.s, x.m, store.RoleReader)
		if answer := x.ask(card, "/redeem", "", `{"amount":1}`); answer.Status != http.StatusForbidden {
			t.Errorf("a reader redeems: %d %s", answer.Status, answer.Body)
		}
		setRole(t, x.s, x.m, store.RoleIssuer)
		x.redeem(card, "1") // caches the issuer
	}
}
