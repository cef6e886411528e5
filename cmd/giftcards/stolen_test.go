package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
	"giftcards/store/storetest/full"
)

// runbook returns the commands below a heading of docs/security.md, as an operator types them.
func runbook(t *testing.T, heading string) (commands []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/security.md")
	must(t, err)
	_, section, found := strings.Cut(string(page), "\n### "+heading+"\n")
	if !found {
		t.Fatalf("docs/security.md has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n##")
	for line := range strings.Lines(section) {
		if typed, ok := strings.CutPrefix(line, "| `giftcards "); ok {
			typed, _, _ = strings.Cut(typed, "`")
			commands = append(commands, typed)
		}
	}
	if len(commands) == 0 {
		t.Fatalf("docs/security.md has no commands below %q", heading)
	}
	return commands
}

// burgledShop is a merchant, two servers on one database and key file, and the tokens, links and keys
// that a thief has stolen.
type burgledShop struct {
	*servertest.Server
	other    *servertest.Server
	merchant *servertest.Merchant
	t        *testing.T
	settings []string

	tokens, links []string
	keys          *keyring.Ring // the thief's copy of the key file
}

const newPassword = "a password that nobody stole"

func burgled(t *testing.T) *burgledShop {
	t.Helper()
	url, file := storetest.URL(t), filepath.Join(t.TempDir(), "keys.json")
	s := &burgledShop{Server: servertest.NewOn(t, url, file), other: servertest.NewOn(t, url, file), t: t}
	s.settings = []string{"--database-url=" + url, "--keys-file=" + file, "--state-dir=" + t.TempDir()}
	s.merchant = s.Merchant()
	few, later := 3, time.Now().Add(time.Hour)
	value, err := money.Parse("5")
	must(t, err)
	issued, err := s.merchant.Client.BulkIssueGiftCardsWithResponse(t.Context(), s.merchant.ProgramID, nil, api.BulkIssueGiftCardRequest{InitialValue: value, Count: &few})
	must(t, err)
	s.tokens, s.links = []string{s.merchant.Token}, []string{*issued.JSON201.CsvDownloadUrl}
	thief := "thief@example.com"
	card, err := s.merchant.Client.CreateGiftCardWithResponse(t.Context(), s.merchant.ProgramID, nil, api.CreateGiftCardRequest{
		InitialValue: value, MerchantId: s.merchant.ID, CustomerEmail: &thief, DeliverAt: &later,
	})
	must(t, err)
	if card.JSON201 == nil {
		t.Fatalf("create: %d %s", card.StatusCode(), card.Body)
	}

	text, err := os.ReadFile(file)
	must(t, err)
	stolen := filepath.Join(t.TempDir(), "stolen.json")
	must(t, os.WriteFile(stolen, text, 0o600))
	s.keys, err = keyring.Open(stolen)
	must(t, err)
	return s
}

// forge makes a token and a link with the stolen keys.
func (s *burgledShop) forge() (token, link string) {
	s.t.Helper()
	claims, err := s.keys.VerifyToken(s.tokens[0], time.Now())
	must(s.t, err)
	claims.ID, claims.IssuedAt, claims.ExpiresAt = "forged", time.Now().Add(time.Hour), time.Now().Add(1000*time.Hour)
	token, err = s.keys.SignToken(claims)
	must(s.t, err)
	at, signed, _ := strings.Cut(s.links[0], "/downloads/")
	payload, err := s.keys.VerifyLink(signed)
	must(s.t, err)
	payload[len(payload)-6]++ // a later expiry
	return token, at + "/downloads/" + s.keys.SignLink(payload)
}

// status returns the status with which one of the servers answers.
func (s *burgledShop) status(server *servertest.Server, address, token string) int {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, strings.Replace(address, s.URL, server.URL, 1), nil)
	must(s.t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return server.Send(r).Status
}

// wantAll fails unless both servers accept all tokens and links, or none of them.
func (s *burgledShop) wantAll(when string, token, link int) {
	s.t.Helper()
	for _, server := range []*servertest.Server{s.Server, s.other} {
		for i, stolen := range s.tokens {
			if got := s.status(server, s.URL+"/v2/token", stolen); got != token {
				s.t.Errorf("%s: token %d: %d, want %d", when, i, got, token)
			}
		}
		for i, stolen := range s.links {
			if got := s.status(server, stolen, ""); got != link {
				s.t.Errorf("%s: link %d: %d, want %d", when, i, got, link)
			}
		}
	}
}

// follow runs the commands, and the steps that the page describes between them.
func (s *burgledShop) follow(heading string) {
	s.t.Helper()
	userID, operator := "", strings.NewReplacer("ada@example.com", s.merchant.Email)
	for _, typed := range runbook(s.t, heading) {
		args := strings.Fields(strings.ReplaceAll(operator.Replace(typed), "=ID", "="+userID))
		if typed == "keys retire --only=codes" {
			s.untilSealedAnew()
		}
		code, stdout, stderr := command(s.t, newPassword+"\n", append(args, s.settings...)...)
		if code != 0 {
			s.t.Fatalf("giftcards %s: %d %s", typed, code, stderr)
		}
		switch {
		case typed == "user list":
			userID = s.userID(stdout)
		case strings.HasPrefix(typed, "audit list") && !strings.Contains(stdout, `"createGiftCard"`):
			s.t.Errorf("giftcards %s does not show what the thief did: %s", typed, stdout)
		case strings.HasPrefix(typed, "keys "):
			time.Sleep(1100 * time.Millisecond) // servers read the file every second
		}
	}
}

func (s *burgledShop) userID(list string) string {
	s.t.Helper()
	var users []printedUser
	must(s.t, json.Unmarshal([]byte(list), &users))
	for _, user := range users {
		if user.Email == s.merchant.Email {
			return user.ID.String()
		}
	}
	s.t.Fatalf("%s is not in %s", s.merchant.Email, list)
	return ""
}

// untilSealedAnew moves the servers' clocks past the pauses of resealing.
func (s *burgledShop) untilSealedAnew() {
	s.t.Helper()
	if code, _, stderr := command(s.t, "", append([]string{"keys", "retire", "--only=codes"}, s.settings...)...); code != 1 {
		s.t.Errorf("codes are sealed with the stolen key, and it goes: %d %s", code, stderr)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for moved := false; ; time.Sleep(100 * time.Millisecond) {
		code, stdout, stderr := command(s.t, "", append([]string{"keys", "list"}, s.settings...)...)
		var printed printedKeys
		if err := json.Unmarshal([]byte(stdout), &printed); err != nil || code != 0 {
			s.t.Fatalf("keys list: %d %s%s", code, stdout, stderr)
		}
		var keys []keyring.Key
		for _, key := range printed.Keys {
			keys = append(keys, key.Key)
		}
		switch begun := printed.Resealing != nil && printed.Resealing.Key == int64(store.NewestCodeKey(keys)); {
		case begun && printed.Resealing.FinishedAt != nil:
			return
		case begun && !moved:
			s.Clock.Move(21 * time.Minute)
			s.other.Clock.Move(21 * time.Minute)
			moved = true
		case ctx.Err() != nil:
			s.t.Fatalf("codes were not resealed within a minute: %s", stdout)
		}
	}
}

// opened returns the number of codes in the database that the stolen keys open.
func (s *burgledShop) opened() (opened int) {
	s.t.Helper()
	rows, err := s.Store.Pool().Query(s.t.Context(), "select id, sealed_code from gift_cards")
	must(s.t, err)
	defer rows.Close()
	for rows.Next() {
		var card store.GiftCard
		must(s.t, rows.Scan(&card.ID, &card.SealedCode))
		if _, err := s.keys.Unseal(card.SealedCode, card.ID[:]); err == nil {
			opened++
		}
	}
	must(s.t, rows.Err())
	return opened
}

// wantStopped fails if the thief's task or messages continue, or a card may be spent.
func (s *burgledShop) wantStopped() {
	s.t.Helper()
	for _, args := range [][]string{
		{"messages", "list", "--status=scheduled"},
		{"tasks", "list", "--user=" + s.merchant.Email, "--status=pending"}, {"tasks", "list", "--user=" + s.merchant.Email, "--status=processing"},
	} {
		if code, stdout, stderr := command(s.t, "", append(args, s.settings...)...); code != 0 || strings.TrimSpace(stdout) != "[]" {
			s.t.Errorf("%v: %d %s%s", args, code, stdout, stderr)
		}
	}
	if n := storetest.Count(s.t, s.Store, "gift_cards where status = 'suspended'"); n != 4 {
		s.t.Errorf("%d of the 4 cards are suspended", n)
	}
}

// wantOnlyTheNewPassword fails unless the user can log in with the new password and not
// with the old one.
func (s *burgledShop) wantOnlyTheNewPassword() {
	s.t.Helper()
	login := func(secret string) int {
		answer, err := s.other.Client("").CreateTokenWithFormdataBodyWithResponse(s.t.Context(), api.TokenForm{Username: s.merchant.Email, Password: secret})
		must(s.t, err)
		return answer.StatusCode()
	}
	if got := login(s.merchant.Password); got != http.StatusUnauthorized {
		s.t.Errorf("the old password: %d", got)
	}
	if got := login(newPassword); got != http.StatusOK {
		s.t.Errorf("the new password: %d", got)
	}
}

// TestTheRunbooksForATheftEndTheStolenCredentials follows each chapter of "When a token, a link, a
// password or the key file was stolen" literally, while two servers run.
func TestTheRunbooksForATheftEndTheStolenCredentials(t *testing.T) {
	t.Parallel()
	full.Only()
	for _, heading := range []string{"A token", "A password", "A CSV link"} {
		t.Run(heading, func(t *testing.T) {
			t.Parallel()
			s := burgled(t)
			s.tokens = append(s.tokens, s.Login(s.merchant.Email, s.merchant.Password)) // the thief logs in with the stolen password
			s.wantAll("before", http.StatusOK, http.StatusOK)
			s.follow(heading)
			s.wantAll("after", http.StatusUnauthorized, http.StatusForbidden)
			s.wantOnlyTheNewPassword()
			if heading != "A CSV link" { // a link cannot start a task
				s.wantStopped()
			}
		})
	}
	t.Run("The key file", func(t *testing.T) {
		t.Parallel()
		s := burgled(t)
		token, link := s.forge()
		s.tokens, s.links = append(s.tokens, token), append(s.links, link)
		s.wantAll("before", http.StatusOK, http.StatusOK)
		if n := s.opened(); n != 4 {
			t.Errorf("the stolen keys open %d codes, want 4: the test proves nothing", n)
		}
		s.follow("The key file")
		s.wantAll("after", http.StatusUnauthorized, http.StatusForbidden)
		token, link = s.forge()
		s.tokens, s.links = []string{token}, []string{link}
		s.wantAll("forged anew", http.StatusUnauthorized, http.StatusForbidden)
		if n := s.opened(); n != 0 {
			t.Errorf("the stolen keys open %d codes of the database", n)
		}
		// Other users' tasks and messages continue.
		s.tokens, s.links = []string{s.Login(s.merchant.Email, s.merchant.Password)}, nil
		s.wantAll("a new login", http.StatusOK, http.StatusOK)
	})
}

// TestTheLinkOfAnUnknownUserEndsWithAllLinks: the second half of the chapter on links ends
// all links and no token.
func TestTheLinkOfAnUnknownUserEndsWithAllLinks(t *testing.T) {
	t.Parallel()
	s := burgled(t)
	commands := runbook(t, "A CSV link")
	last := commands[len(commands)-1]
	if code, _, stderr := command(t, "", append(strings.Fields(last), s.settings...)...); code != 0 {
		t.Fatalf("giftcards %s: %d %s", last, code, stderr)
	}
	time.Sleep(1100 * time.Millisecond) // until servers look at the file
	s.wantAll("after", http.StatusOK, http.StatusForbidden)
}
