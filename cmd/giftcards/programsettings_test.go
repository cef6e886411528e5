package main

import (
	"encoding/json"
	"strings"
	"testing"

	"giftcards/store/id"
	"giftcards/store/storetest"
)

// TestAnOperatorSetsAndSeesTheSettingsOfAProgram. A command changes only the settings that it names, an
// empty value unsets a setting, and each change is in the audit log.
func TestAnOperatorSetsAndSeesTheSettingsOfAProgram(t *testing.T) {
	t.Parallel()
	database, dir := storetest.URL(t), t.TempDir()
	do := func(args ...string) (int, string, string) {
		return command(t, "", append(args, "--database-url="+database, "--state-dir="+dir)...)
	}
	created := func(args ...string) (made struct{ ID string }) {
		t.Helper()
		code, stdout, stderr := do(args...)
		if err := json.Unmarshal([]byte(stdout), &made); err != nil || code != 0 {
			t.Fatalf("%v: %d %s %s", args, code, stdout, stderr)
		}
		return made
	}
	merchant := created("merchant", "create", "Blackwood Books").ID
	program := created("program", "create", "--merchant="+merchant, "Leeds").ID
	settings := func(args ...string) map[string]any {
		t.Helper()
		code, stdout, stderr := do(append([]string{"program"}, args...)...)
		var printed map[string]any
		if err := json.Unmarshal([]byte(stdout), &printed); err != nil || code != 0 {
			t.Fatalf("%v: %d %s %s", args, code, stdout, stderr)
		}
		return printed
	}
	wants := func(what string, got map[string]any, want string) {
		t.Helper()
		var wanted map[string]any
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		for name, value := range wanted {
			have, _ := json.Marshal(got[name])
			if wish, _ := json.Marshal(value); string(have) != string(wish) {
				t.Errorf("%s: %s is %s, want %s", what, name, have, wish)
			}
		}
	}
	wants("new", settings("show", program), `{"name":"Leeds","currency":null,"locale":null,"timeZone":"UTC","activation":"merchant","senderName":null,"replyTo":null,
		"defaultDesign":null,"tillCode":"qr","receipts":{"activated":false,"redeemed":false,"reloaded":false,"expiring":false},"recipientRetention":null,"cardsPerDay":null,"valuePerDay":null}`)
	all := `{"currency":"CHF","locale":"fr-CH","timeZone":"Europe/Zurich","senderName":"La Boutique","replyTo":"shop@xn--bcher-kva.example","defaultDesign":"noel","tillCode":"code128",
		"receipts":{"activated":false,"redeemed":true,"reloaded":false,"expiring":true},"recipientRetention":"720h0m0s"}`
	wants("all set", settings("set", program, "--currency=CHF", "--locale=FR_ch", "--time-zone=Europe/Zurich", "--sender-name= La  Boutique", "--activation=merchant",
		"--reply-to=shop@bücher.example", "--design=noel", "--code=code128", "--receipts=redeemed,expiring", "--recipient-retention=720h"), strings.Replace(all, "La Boutique", "La  Boutique", 1))
	settings("limits", program, "--cards-per-day=7")
	settings("rename", program, "Lyon")
	wants("one more", settings("set", program, "--sender-name=La Boutique"), all)
	wants("shown", settings("show", program), all)
	wants("shown", settings("show", program), `{"name":"Lyon","cardsPerDay":7}`)
	wants("unset", settings("set", program, "--currency=", "--locale=", "--time-zone=", "--sender-name=", "--reply-to=", "--design=", "--code=", "--receipts=", "--recipient-retention="),
		`{"name":"Lyon","currency":null,"locale":null,"timeZone":"UTC","senderName":null,"replyTo":null,"defaultDesign":null,"tillCode":"qr","recipientRetention":null,
		"receipts":{"activated":false,"redeemed":false,"reloaded":false,"expiring":false}}`)
	if code, stdout, _ := do("merchant", "rename", merchant, "Blackwood & Sons"); code != 0 || !strings.Contains(stdout, `"name": "Blackwood & Sons"`) {
		t.Errorf("rename: %d %s", code, stdout)
	}
	_, log, _ := do("audit", "list")
	for operation, times := range map[string]int{"program set": 3, "program rename": 1, "merchant rename": 1, "program limits": 1} {
		if n := strings.Count(log, `"`+operation+`"`); n != times {
			t.Errorf("%q is %d times in the audit log, want %d", operation, n, times)
		}
	}
}

// TestAnInvalidSettingIsRefusedInASentence, and nothing is changed.
func TestAnInvalidSettingIsRefusedInASentence(t *testing.T) {
	t.Parallel()
	database, dir := storetest.URL(t), t.TempDir()
	do := func(args ...string) (int, string, string) {
		return command(t, "", append(args, "--database-url="+database, "--state-dir="+dir)...)
	}
	var made struct{ ID string }
	for _, args := range [][]string{{"merchant", "create", "M"}, {"program", "create", "P", "--merchant="}} {
		if strings.HasSuffix(args[len(args)-1], "=") {
			args[len(args)-1] += made.ID
		}
		_, stdout, stderr := do(args...)
		if err := json.Unmarshal([]byte(stdout), &made); err != nil {
			t.Fatal(stderr)
		}
	}
	_, before, _ := do("program", "show", made.ID)
	const address = "--reply-to: want an e-mail address"
	for flag, want := range map[string]string{
		"--currency=EURO": "A currency must be a code of ISO 4217", "--currency=eur": "A currency must be a code of ISO 4217", "--currency=ABC": "A currency must be a code of ISO 4217",
		"--locale=xx-YY-ZZ": "A locale must be a language tag", "--locale=und": "A locale must be a language tag", "--locale=french please": "A locale must be a language tag",
		"--time-zone=Local": "A time zone must have a name", "--time-zone=Mars/Olympus": "A time zone must have a name", "--time-zone=IST-5:30": "A time zone must have a name",
		"--activation=customer": "Activation must be merchant, because customers cannot activate cards yet", "--activation=nobody": "Activation must be merchant",
		"--reply-to=Bcc: a@example.com": address, "--reply-to=a@example.com\r\nBcc: b@example.com": address, "--reply-to=a@example.com\n": address,
		"--reply-to=Shop <a@example.com>": address, "--reply-to=a@example.com, b@example.com": address, "--reply-to=shop": address, "--reply-to=jürgen@example.com": address,
		"--design=../x": "A design must have a name", "--code=aztec": "A code must be qr or code128", "--code=QR": "A code must be qr or code128", "--receipts=redeemed,refunded": "Receipts must be some of", "--recipient-retention=-1h": "A retention must not be negative",
		"--recipient-retention=soon": "--recipient-retention: want a duration", "--sender-name=" + strings.Repeat("x", 256): "A name must have 1 to 255 characters",
	} {
		if code, _, stderr := do("program", "set", made.ID, flag); code != 1 || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: %d %s", flag, code, stderr)
		}
	}
	if _, after, _ := do("program", "show", made.ID); after != before {
		t.Errorf("changed to %s", after)
	}
	if code, _, stderr := do("program", "set", made.ID); code != 1 || !strings.Contains(stderr, "name a setting, such as --currency=EUR") {
		t.Errorf("no setting: %d %s", code, stderr)
	}
	nobody := id.ID{1}.String()
	for _, args := range [][]string{{"program", "show", nobody}, {"program", "set", nobody, "--currency=EUR"}, {"program", "rename", nobody, "X"}} {
		if code, _, stderr := do(args...); code != 1 || !strings.Contains(stderr, "Program not found: "+nobody) {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
	if code, _, stderr := do("merchant", "rename", nobody, "X"); code != 1 || !strings.Contains(stderr, "Merchant not found: "+nobody) {
		t.Errorf("rename: %d %s", code, stderr)
	}
	if code, _, stderr := do("program", "rename", made.ID, " "); code != 1 || !strings.Contains(stderr, "A name must have 1 to 255 characters") {
		t.Errorf("an empty name: %d %s", code, stderr)
	}
}
