package server_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store/storetest/full"
)

// TestOnlyALinkAsSignedOpensItsCSV: a link works until it expires. The server refuses a link that
// was changed in any part, put together from several links, or signed for another purpose. All
// refusals are equal, and none needs the database.
func TestOnlyALinkAsSignedOpensItsCSV(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t)
	m, stranger := s.Merchant(), s.Merchant()
	many := 60
	linkOf := func(m *servertest.Merchant) (link string, signed []byte) {
		task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &many}).JSON202.TaskId
		_, link, _ = strings.Cut(*pollToEnd(t, m, task).CsvDownloadUrl, "/downloads/")
		signed, err := base64.RawURLEncoding.DecodeString(link)
		if err != nil {
			t.Fatal(err)
		}
		return link, signed
	}
	good, one := linkOf(m)
	_, two := linkOf(m)
	_, foreign := linkOf(stranger)
	// The ends of the parts: name of the key, tag, user, second, program, first id, count, end.
	const (
		key     = 5
		tag     = key + 16
		user    = tag + 12
		given   = user + 8
		program = given + 12
		first   = program + 12
		count   = first + 4
		end     = count + 8
	)
	if len(one) != end {
		t.Fatalf("a link has %d bytes, want %d: the cases below do not fit it", len(one), end)
	}
	spliced := func(from []byte, begin, to int) string {
		mixed := slices.Concat(one[:begin], from[begin:to], one[to:])
		if bytes.Equal(mixed, one) {
			t.Fatalf("bytes %d to %d are the same in both links", begin, to)
		}
		return base64.RawURLEncoding.EncodeToString(mixed)
	}
	other := servertest.NewCounting(t)
	bad := map[string]string{
		"another task's first id":     spliced(two, program, first),
		"another task's tag":          spliced(two, key, tag),
		"another user":                spliced(foreign, tag, user),
		"a later token":               spliced(slices.Concat(one[:user], bytes.Repeat([]byte{0x7f}, 8)), user, given),
		"another program's id":        spliced(foreign, given, program),
		"another program's batch":     spliced(foreign, given, first),
		"another program's payload":   spliced(foreign, tag, end),
		"another program's signature": spliced(foreign, 0, tag),
		"a later end":                 spliced(slices.Concat(one[:count], bytes.Repeat([]byte{0x7f}, 8)), count, end),
		"more cards":                  spliced(slices.Concat(one[:first], []byte{0, 0, 0xff, 0xff}, one[count:]), first, count),
		"no signature":                base64.RawURLEncoding.EncodeToString(one[tag:]),
		"a byte more":                 base64.RawURLEncoding.EncodeToString(append(slices.Clone(one), 0)),
		"a byte less":                 base64.RawURLEncoding.EncodeToString(one[:end-1]),
		"padded":                      good + "=",
		"two in a row":                good + good,
		"of another server":           other.Keys.SignLink(one[tag:]),
		"a token":                     m.Token,
		"signed, but nothing":         s.Keys.SignLink(nil),
		"signed, of the former size":  s.Keys.SignLink(one[given:end]),
		"signed, but too short":       s.Keys.SignLink(one[tag : end-1]),
		"signed, but too long":        s.Keys.SignLink(append(slices.Clone(one[tag:]), 0)),
		"garbage":                     "%20%00%C3%A9",
	}
	for i := range one {
		changed := slices.Clone(one)
		changed[i] ^= 1
		bad[fmt.Sprint("changed at ", i)] = base64.RawURLEncoding.EncodeToString(changed)
	}
	at := s.URL + "/v2/giftcards/downloads/"
	refused := func(name string, answer servertest.Answer) {
		if answer.Status != http.StatusForbidden || strings.TrimSpace(string(answer.Body)) != `{"detail":"Download link is invalid or has expired"}` ||
			answer.Header.Get("Content-Disposition") != "" || answer.Statements != 0 {
			t.Errorf("%s: %d %s after %d statements", name, answer.Status, answer.Body, answer.Statements)
		}
	}
	for name, link := range bad {
		refused(name, get(t, s, at+link))
	}
	s.Clock.Move(59 * time.Minute)
	if answer := get(t, s, at+good); answer.Status != http.StatusOK || strings.Count(string(answer.Body), "\r\n") != many+1 {
		t.Errorf("before its end: %d %s", answer.Status, answer.Body)
	}
	s.Clock.Move(2 * time.Minute)
	refused("expired", get(t, s, at+good))
	t.Logf("%d cases", len(bad)+2)
}

// TestASlowReaderGetsAllOfAStream: the reader may take longer than WriteTimeout, and occupies no
// connection to the database meanwhile.
func TestASlowReaderGetsAllOfAStream(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	many := full.Size(12_000, 3_000) // all are more than a page of the database
	path := streamPaths(t, m, 1, many, false)[0]
	useSmallBuffers(t, s)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	must(t, err)
	before := leastBusy(s)
	response, err := (&http.Transport{DialContext: smallReadBuffer.DialContext}).RoundTrip(r)
	must(t, err)
	defer response.Body.Close()
	time.Sleep(1500 * time.Millisecond) // longer than the WriteTimeout of useSmallBuffers
	if busy := leastBusy(s); busy > before {
		t.Errorf("%d connections are in use while a client sleeps, %d without it", busy, before)
	}
	body, err := io.ReadAll(response.Body)
	if lines := strings.Count(string(body), "\r\n"); err != nil || lines != many+1 {
		t.Errorf("%d lines, %v", lines, err)
	}
}

// leastBusy returns the number of connections that are in use all the time. It does not count
// connections that are used for a moment.
func leastBusy(s *servertest.Server) int32 {
	least := s.Store.Pool().Stat().AcquiredConns()
	for range 100 {
		time.Sleep(2 * time.Millisecond)
		least = min(least, s.Store.Pool().Stat().AcquiredConns())
	}
	return least
}

func TestRecipientsGetMessagesAndNoCSV(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	email, phone, name := "ada@example.com", "+1 (415) 555-2671", "Ada\r\nBcc: x"
	recipients := []api.BulkIssueRecipient{{CustomerEmail: &email, CustomerPhone: &phone, CustomerName: &name}, {}, {CustomerPhone: &phone}}
	issued := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Recipients: recipients})
	if issued.JSON201 == nil || issued.JSON201.CsvDownloadUrl != nil || len(issued.JSON201.Cards) != 3 {
		t.Fatalf("bulk: %d %s", issued.StatusCode(), issued.Body)
	}
	rows, err := s.Store.Pool().Query(t.Context(), `
		select encode(m.card_id, 'hex') || ' ' || channel || ' ' || address || ' ' || (send_at = c.created_at)::text
		from messages m join gift_cards c on c.id = m.card_id order by m.card_id, channel`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	cards := issued.JSON201.Cards
	want := []string{
		cards[0].Id + " email ada@example.com true",
		cards[0].Id + " sms +14155552671 true",
		cards[2].Id + " sms +14155552671 true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("messages\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestRecipientsOfATaskKeepTheirOrder: their cards have the same contents as cards that are issued
// at once.
func TestRecipientsOfATaskKeepTheirOrder(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	recipients := make([]api.BulkIssueRecipient, 120)
	for i := range recipients {
		name, message := string(rune('a'+i%26))+strings.Repeat("x", i), "<b>hi</b> & bye"
		recipients[i] = api.BulkIssueRecipient{CustomerName: &name, CustomMessage: &message}
	}
	accepted := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5.125"), Recipients: recipients})
	if accepted.JSON202 == nil {
		t.Fatalf("bulk: %d %s", accepted.StatusCode(), accepted.Body)
	}
	status := pollToEnd(t, m, accepted.JSON202.TaskId)
	if status.Status != "completed" || status.CsvDownloadUrl != nil || len(*status.Cards) != len(recipients) {
		t.Fatalf("task: %+v", status)
	}
	for i, card := range *status.Cards {
		var name, message, value string
		err := s.Store.Pool().QueryRow(t.Context(), `select customer_name, custom_message, initial_value::text from gift_cards where encode(id, 'hex') = $1`, card.Id).
			Scan(&name, &message, &value)
		if err != nil {
			t.Fatal(err)
		}
		if name != *recipients[i].CustomerName || message != "hi & bye" || value != "5.125" {
			t.Fatalf("card %d is for %.5q…, %q, %s", i, name, message, value)
		}
	}
	if n := count(t, s, "task_recipients"); n != 0 {
		t.Errorf("%d recipients are kept after their cards were issued", n)
	}
}
