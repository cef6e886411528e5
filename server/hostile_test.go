package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/server/servertest"
	"giftcards/store/money"
)

// servesOn fails the test unless the server still serves and has issued nothing.
func servesOn(t *testing.T, s *servertest.Server, m *servertest.Merchant) {
	t.Helper()
	if answer := m.Do(http.MethodGet, "/readyz", nil, nil); answer.Status != http.StatusOK {
		t.Errorf("the server does not serve any more: %d %s", answer.Status, answer.Body)
	}
	var cards, tasks, keys int
	row := s.Store.Pool().QueryRow(t.Context(), `select (select count(*) from gift_cards), (select count(*) from bulk_tasks), (select count(*) from idempotency_keys)`)
	if err := row.Scan(&cards, &tasks, &keys); err != nil {
		t.Fatal(err)
	}
	if cards+tasks+keys != 0 {
		t.Errorf("left behind: %d cards, %d tasks, %d keys", cards, tasks, keys)
	}
}

func TestTooLargeBodiesAreRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	body := []byte(`{"initialValue":25,"merchantId":"` + m.ID + `","x":"` + strings.Repeat("x", 64<<10) + `"}`)
	for name, reader := range map[string]io.Reader{"with a length": bytes.NewReader(body), "chunked": io.MultiReader(bytes.NewReader(body))} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+m.Cards(), reader)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+m.Token)
		answer := s.Send(r)
		if answer.Status != http.StatusRequestEntityTooLarge || !strings.Contains(string(answer.Body), `"Request body is too large"`) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	servesOn(t, s, m)
}

// raw writes bytes to a new connection and returns the bytes that come back.
func raw(t *testing.T, s *servertest.Server, request string, closeWrite bool) string {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	// The server may answer and close before it has read everything.
	_, _ = io.WriteString(connection, request)
	if closeWrite {
		_ = connection.(*net.TCPConn).CloseWrite()
	}
	answer, _ := io.ReadAll(bufio.NewReader(connection))
	return string(answer)
}

// abandon sends a request and closes the connection without waiting for an answer.
func abandon(t *testing.T, s *servertest.Server, request string) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
}

func TestCutOffAndSlowBodiesEndTheRequest(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n", m.Cards(), m.Token)
	begun := `{"initialValue":25,"merchantId":"` + m.ID + `"`
	var requests sync.WaitGroup
	for name, c := range map[string]struct {
		request string
		close   bool
		want    string
	}{
		"cut off":           {head + "Content-Length: 500\r\n\r\n" + begun, true, "408 Request Timeout"},
		"cut off, chunked":  {head + "Transfer-Encoding: chunked\r\n\r\n40\r\n" + begun, true, "408 Request Timeout"},
		"never ending":      {head + "Content-Length: 500\r\n\r\n" + begun, false, "408 Request Timeout"},
		"never ending head": {head, false, ""},
	} {
		requests.Go(func() {
			answer := raw(t, s, c.request, c.close)
			if !strings.Contains(answer, c.want) {
				t.Errorf("%s: answer %q, want %q\n%s", name, answer, c.want, s.Log)
			}
		})
	}
	requests.Wait()
	servesOn(t, s, m)
}

func TestHugeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	answer := raw(t, s, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("x", 100<<10)+"\r\n\r\n", false)
	if !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
		t.Errorf("answer %.80q", answer)
	}
	servesOn(t, s, m)
}

func TestDeepNestingIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	for _, body := range []string{
		strings.Repeat("[", 10_000), strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		strings.Repeat(`{"a":`, 10_000), `{"initialValue":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
	} {
		errors := decodeDetail(t, m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(body)))
		if len(errors) != 1 || errors[0].Type != "json_invalid" {
			t.Errorf("%.20s…: %v", body, errors)
		}
	}
	servesOn(t, s, m)
}

// TestOddTextsAreStoredOrRefused: a text that the schema accepts must not lead to a 500.
func TestOddTextsAreStoredOrRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	for name, text := range map[string]string{
		"NUL": `\u0000`, "control characters": `a\u0001\u007f\u0085b`, "line breaks": `a\r\nBcc: b@example.com`,
		"lone surrogate": `\ud800`, "noncharacter": `\uffff`, "emoji": `\ud83d\ude00`, "markup": `<script>alert(1)</script><b>hi</b>`,
	} {
		task := fmt.Sprintf(`{"initialValue":25,"designTemplate":"%s","recipients":[{}%s]}`, text,
			strings.Repeat(fmt.Sprintf(`,{"customerName":"%s","senderName":"%s","customMessage":"%s"}`, text, text, text), 51))
		if answer := m.Do(http.MethodPost, m.Cards()+"/bulk", jsonHeader, []byte(task)); answer.Status != http.StatusAccepted && answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s, as a task: %d %s", name, answer.Status, answer.Body)
		}
		body := fmt.Sprintf(`{"initialValue":25,"merchantId":%q,"customerName":"%s","senderName":"%s","designTemplate":"%s","customMessage":"%s"}`,
			m.ID, text, text, text, text)
		answer := m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(body))
		if answer.Status != http.StatusCreated && answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
		var card struct{ CustomerName, CustomMessage *string }
		if answer.Status != http.StatusCreated {
			continue
		}
		if err := json.Unmarshal(answer.Body, &card); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(*card.CustomerName, "\x00\x01\x7f\r\n") || strings.Contains(*card.CustomMessage, "<") {
			t.Errorf("%s: stored %q, %q", name, *card.CustomerName, *card.CustomMessage)
		}
	}
}

func TestMoneyIsExactUpTo100Decimals(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	long := "0.01" + strings.Repeat("0", money.MaxDecimals-3) + "1"
	for sent, want := range map[string]string{
		`25`: "25.00", `25.5`: "25.50", `"5000.005"`: "5000.005", `0.010000000000000002`: "0.010000000000000002",
		`"+4.24"`: "4.24", `"054.600"`: "54.600", `".5"`: "0.50", `"5."`: "5.00", `2.5e1`: "25.00", `10000`: "10000.00", `"` + long + `"`: long,
	} {
		answer := m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{"initialValue":`+sent+`,"merchantId":"`+m.ID+`"}`))
		var card struct{ InitialValue, ID string }
		if err := json.Unmarshal(answer.Body, &card); err != nil || answer.Status != http.StatusCreated {
			t.Fatalf("%.40s: %d %.200s", sent, answer.Status, answer.Body)
		}
		if card.InitialValue != want {
			t.Errorf("%.40s is answered as %.40s, want %.40s", sent, card.InitialValue, want)
		}
		var stored string
		if err := s.Store.Pool().QueryRow(t.Context(), `select initial_value::text from gift_cards where encode(id, 'hex') = $1`, card.ID).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if amount(t, stored).String() != want {
			t.Errorf("%.40s is stored as %.40s", sent, stored)
		}
	}
	tooFine := `"1.` + strings.Repeat("0", money.MaxDecimals) + `1"`
	if errors := decodeDetail(t, m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{"initialValue":`+tooFine+`,"merchantId":"`+m.ID+`"}`))); errors[0].Type != "decimal_max_places" {
		t.Errorf("more decimals than an amount has: %v", errors[0].Type)
	}
}
