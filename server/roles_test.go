package server_test

import (
	"net/http"
	"strings"
	"testing"

	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest"
)

// setRole changes the role of the merchant's user, as an operator does.
func setRole(t *testing.T, s *servertest.Server, m *servertest.Merchant, role string) {
	t.Helper()
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (store.User, error) { return tx.SetRole(t.Context(), m.Email, role) })
}

// TestEachRoleUsesItsOperationsAndNoOthers, for every operation of the document. The server looks
// the program up before it judges the role, so that a stranger learns nothing about roles.
func TestEachRoleUsesItsOperationsAndNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nothing := w.void
	nothing.program, nothing.merchant = w.owned.program, w.owned.merchant
	for _, role := range []string{store.RoleIssuer, store.RoleCashier, store.RoleReader} {
		setRole(t, w.s, w.owner, role)
		for _, o := range operations(t) {
			refusal := map[string]string{store.RoleCashier: attempts[o.name].cashier, store.RoleReader: attempts[o.name].reader}[role]
			answer := w.try(o, nothing, w.bearer(w.owner), nil)
			if refusal == "" {
				// A 422 would come before the role is judged. An ended link also gets a 403.
				if answer.Status == http.StatusUnprocessableEntity || answer.Status == http.StatusForbidden && !strings.Contains(o.path, "{link}") && !strings.Contains(o.path, "{receipt}") {
					t.Errorf("%s as %s: %d %s", o.name, role, answer.Status, answer.Body)
				}
				continue
			}
			w.refused(o.name+" as "+role, http.StatusForbidden, refusal, answer)
			if !strings.Contains(o.path, "{programId}") {
				continue
			}
			elsewhere := nothing
			elsewhere.program = w.foreign.program
			w.refused(o.name+" in another's program as "+role, http.StatusForbidden, "Program belongs to another merchant", w.try(o, elsewhere, w.bearer(w.owner), nil))
			elsewhere.program = w.void.program
			w.refused(o.name+" in no program as "+role, http.StatusNotFound, "Program not found", w.try(o, elsewhere, w.bearer(w.owner), nil))
		}
	}
}

// TestANewRoleHoldsAtOnce for a user whose access is in the cache, whether it allows more or less.
func TestANewRoleHoldsAtOnce(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	create := func() servertest.Answer { return x.post("/cards", "", `{"initialValue":1,"merchantId":"`+x.m.ID+`"}`) }
	// Each of these requests starts from the cache, so it puts the access there first.
	card := x.active(long)
	for range 3 {
		setRole(t, x.s, x.m, store.RoleCashier)
		x.says("a cashier creates", create(), "403 "+mayNotIssue)
		x.says("a cashier transfers", x.transfer(card, "1", "1"), "403 "+mayNotChange)
		x.says("a cashier voids", x.ask(card, "/void", "", `{}`), "403 "+mayNotChange)
		x.says("a cashier redeems", x.ask(card, "/redeem", "", `{"amount":1}`), "200 Gift card redeemed")
		setRole(t, x.s, x.m, store.RoleIssuer)
		x.says("an issuer again creates", create(), "201")
		setRole(t, x.s, x.m, store.RoleReader)
		x.says("a reader redeems", x.ask(card, "/redeem", "", `{"amount":1}`), "403 "+mayNotChange)
		setRole(t, x.s, x.m, store.RoleIssuer)
		x.redeem(card, "1") // caches the issuer
	}
}
