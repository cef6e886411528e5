package server_test

import "testing"

func TestACardIsActivatedRedeemedAndReloaded(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.issue("25")
	for _, step := range []struct{ path, key, body, want string }{
		{"/redeem", "", `{"amount":"1"}`, `400 {"detail":"Gift card is not active"}`},
		{"/activate", "a", `{}`, `200 "balance":"25.00"`},
		{"/activate", "a", `{}`, `200 "status":"active"`},
		{"/activate", "", `{}`, `400 {"detail":"Gift card has already been activated"}`},
		{"/redeem", "r", `{"amount":"10.50"}`, `200 "remainingBalance":"14.50"`},
		{"/redeem", "r", `{"amount":"10.5"}`, `200 "remainingBalance":"14.50"`},
		{"/redeem", "", `{"amount":"14.51"}`, `400 {"detail":"Insufficient gift card balance"}`},
		{"/reload", "", `{"amount":"5000"}`, `200 "balance":"5014.50"`},
		{"/reload", "", `{"amount":"5000"}`, `400 "availableReloadAmount":4985.50`},
		{"/redeem", "", `{"amount":"5014.50"}`, `200 "remainingBalance":"0.00"`},
		{"/reload", "", `{"amount":"1"}`, `400 {"detail":"Gift card is not active"}`},
	} {
		x.says(step.path+" "+step.body, x.ask(card, step.path, step.key, step.body), step.want)
	}
}
