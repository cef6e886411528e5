package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
)

// TestTheLogKeepsSecrets runs the main job and searches the log for everything
// that it sent and got.
func TestTheLogKeepsSecrets(t *testing.T) {
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
	// Refusals, too, must not repeat what was sent.
	m.Do(http.MethodPost, m.Cards(), jsonHeader, fmt.Appendf(nil, `{"customerName":%q,"customerEmail":"not-an-address-%s"}`, name, email))
	get(t, s, s.URL+"/v2/giftcards/downloads/"+strings.Repeat("secret", 5)+"?q="+email)
	secrets = append(secrets, "secretsecret", "not-an-address")
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

// TestAPanicIsA500WithItsRequestIDInTheLog and the server goes on.
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
