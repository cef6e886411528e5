package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
)

// TestTheLogHasNoSecrets runs a merchant's whole journey, and searches the log for the secrets that
// the merchant sent and received.
func TestTheLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	secrets := []string{m.Token, m.Email, m.Password}
	email, phone, name, message := "grace.hopper@example.com", "+442079460018", "Grace Hopper", "Happy nanoseconds"
	created, err := m.Client.CreateGiftCardWithResponse(t.Context(), m.ProgramID, nil, api.CreateGiftCardRequest{
		InitialValue: amount(t, "25"), MerchantId: m.ID, CustomerEmail: &email, CustomerPhone: &phone, CustomerName: &name, CustomMessage: &message,
	})
	if err != nil || created.JSON201 == nil {
		t.Fatal(err)
	}
	secrets = append(secrets, email, phone, name, message, created.JSON201.CardNumber)
	toCode := linkedTo(t, "create", created.HTTPResponse.Header)
	browse(t, s, toCode)
	get(t, s, toCode+"?format=xlsx")
	secrets = append(secrets, toCode[strings.LastIndex(toCode, "/")+1:])
	delivered := filepath.Join(s.Outbox, created.JSON201.Id+".sms.txt")
	for range 500 { // the message is sent while the log is kept
		if text, err := os.ReadFile(delivered); err == nil {
			code := regexp.MustCompile(`(?m)^Code (\d{6})$`).FindStringSubmatch(string(text))[1]
			secrets = append(secrets, `"`+code+`"`, "="+code+" ", " "+code)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !strings.HasPrefix(secrets[len(secrets)-1], " ") {
		t.Fatal("no message was delivered")
	}
	for _, n := range []int{5, 60} {
		answer := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &n})
		var link string
		if answer.JSON201 != nil {
			link = *answer.JSON201.CsvDownloadUrl
		} else {
			link = *pollToEnd(t, m, answer.JSON202.TaskId).CsvDownloadUrl
		}
		secrets = append(secrets, link[strings.LastIndex(link, "/")+1:])
		for _, line := range strings.Split(strings.TrimSpace(string(get(t, s, link).Body)), "\r\n")[1:] {
			fields := strings.Split(line, ",")
			secrets = append(secrets, fields[0], `"`+fields[1]+`"`, "="+fields[1]+" ")
		}
	}
	// Log lines of refusals must not repeat the request either.
	m.Do(http.MethodPost, m.Cards(), jsonHeader, fmt.Appendf(nil, `{"customerName":%q,"customerEmail":"not-an-address-%s"}`, name, email))
	get(t, s, s.URL+"/v2/giftcards/downloads/"+strings.Repeat("secret", 5)+"?q="+email)
	loginFrom(t, s, "", "nobody-"+email, "a-wrong-password")
	loginFrom(t, s, "", m.Email, "a-wrong-password")
	secrets = append(secrets, "secretsecret", "not-an-address", "a-wrong-password")
	log := s.Log.String()
	if !strings.Contains(log, `"route":"/v2/giftcards/programs/:programId/cards"`) {
		t.Fatalf("the log has no requests:\n%s", log)
	}
	for _, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// TestARefusedLoginLeavesALineWithItsAddress. The line has neither the password nor the name,
// because people sometimes type their password in place of the name. Nobody can fill the log.
func TestARefusedLoginLeavesALineWithItsAddress(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, failedLogins(1))
	m := s.Merchant()
	s.Clock.Stop()
	type line struct {
		Client, User, Reason, Msg string
		Request                   string `json:"request_id"`
		Status                    int
		Unlogged                  int `json:"unlogged_before"`
	}
	lines := func() (found []line) {
		for text := range strings.Lines(s.Log.String()) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatal(err)
			}
			if l.Msg == "login refused" {
				found = append(found, l)
			} else if strings.Contains(text, "192.0.2.") || strings.Contains(text, "198.51.100.") {
				t.Errorf("another line has an address: %s", text)
			}
		}
		return found
	}
	wrong := loginFrom(t, s, "192.0.2.1", m.Email, "hidden-password")
	loginFrom(t, s, "192.0.2.1", m.Email, "hidden-password") // a second line within the second
	s.Clock.Move(time.Second)
	limited := loginFrom(t, s, "192.0.2.1", strings.ToUpper(m.Email), "hidden-password")
	long := loginFrom(t, s, "192.0.2.2", "hidden-name", strings.Repeat("hidden-password", 100))
	user, nobody := s.Keys.Pseudonym(m.Email), s.Keys.Pseudonym("hidden-name")
	id := func(answer servertest.Answer) string { return answer.Header.Get("X-Request-Id") }
	want := []line{
		{"192.0.2.1", user, "password", "login refused", id(wrong), 401, 0},
		{"192.0.2.1", user, "limit", "login refused", id(limited), 429, 1},
		{"192.0.2.2", nobody, "password", "login refused", id(long), 401, 0},
	}
	if got := lines(); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	s.Clock.Move(time.Minute)
	for i := range 25 { // 20 of these addresses get a line in this second
		loginFrom(t, s, fmt.Sprintf("198.51.100.%d", i), "hidden-name", "hidden-password")
	}
	s.Clock.Move(time.Second)
	loginFrom(t, s, "198.51.100.0", "hidden-name", "hidden-password")
	got := lines()[3:]
	if last := got[len(got)-1]; len(got) != 21 || last.Unlogged != 5 {
		t.Errorf("%d lines of 26 refused logins, the last says that %d have none", len(got), last.Unlogged)
	}
	for _, secret := range []string{m.Email, "hidden-", m.Password} {
		if strings.Contains(strings.ToLower(s.Log.String()), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// TestAPanicIsA500WithItsRequestIDInTheLog. The server goes on serving.
func TestAPanicIsA500WithItsRequestIDInTheLog(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, panicWhenAskedIfReady)
	answer := get(t, s, s.URL+"/readyz")
	if answer.Status != http.StatusInternalServerError || strings.TrimSpace(string(answer.Body)) != `{"detail":"Internal Server Error"}` {
		t.Errorf("answer %d %s", answer.Status, answer.Body)
	}
	if id := answer.Header.Get("X-Request-Id"); !strings.Contains(s.Log.String(), `"request_id":"`+id+`"`) || !strings.Contains(s.Log.String(), "the handler's own mistake") {
		t.Errorf("the log does not have the panic under %s:\n%s", id, s.Log)
	}
	if again := get(t, s, s.URL+"/healthz"); again.Status != http.StatusOK {
		t.Errorf("afterwards: %d", again.Status)
	}
}

func TestRequestIDsAreTakenOverIfFit(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for sent, taken := range map[string]bool{"abc-123": true, strings.Repeat("x", 65): false, "a b": false, `x"y`: false} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Request-Id", sent)
		if got := s.Send(r).Header.Get("X-Request-Id"); (got == sent) != taken || got == "" {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}
