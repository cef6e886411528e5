package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
)

// audited returns the entries of the audit log about a merchant, the oldest first.
func audited(t *testing.T, s *servertest.Server, merchant string) []store.AuditEntry {
	t.Helper()
	parsed, err := id.Parse(merchant)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := store.Read(t.Context(), s.Store, func(tx *store.Tx) ([]store.AuditEntry, error) {
		return tx.AuditEntries(t.Context(), parsed, id.ID{}, time.Time{}, 100)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(entries)
	return entries
}

// TestTheAuditLogRecordsEveryEffect with the user, the operation, the number of cards, the
// subject, the address and the request id.
func TestTheAuditLogRecordsEveryEffect(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant() // its login is the first entry
	few, many := 3, 60
	card := m.Do(http.MethodPost, m.Cards(), http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"the-request"}, "X-Forwarded-For": {"192.0.2.1"}},
		[]byte(`{"initialValue":1,"merchantId":"`+m.ID+`"}`))
	issued := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &few})
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}).JSON202.TaskId
	pollToEnd(t, m, task)
	get(t, s, *issued.JSON201.CsvDownloadUrl)
	if _, err := s.Client(m.Token).LogoutWithResponse(t.Context()); err != nil {
		t.Fatal(err)
	}

	entries := audited(t, s, m.ID)
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%s %d %t %t", e.Operation, e.Cards, !e.UserID.IsZero(), !e.ProgramID.IsZero()))
	}
	want := []string{
		"createToken 0 true false", "createGiftCard 1 true true", "bulkIssueGiftCards 3 true true", "bulkIssueGiftCards 60 true true",
		"issueTask 60 false true", "downloadGiftCards 3 true true", "logout 0 true false",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the log says\n%q, want\n%q", got, want)
	}
	if e := entries[1]; e.Client != "127.0.0.1" || *e.ClientRequestID != "the-request" || e.ProgramID.String() != m.ProgramID || card.Header.Get("X-Request-Id") != "the-request" {
		t.Errorf("created by %s, request %s, in %s", e.Client, *e.ClientRequestID, e.ProgramID)
	}
	if e := entries[2]; e.ClientRequestID != nil || *e.RequestID != issued.HTTPResponse.Header.Get("X-Request-Id") {
		t.Errorf("without an id of the caller's: %s, %v", *e.RequestID, e.ClientRequestID)
	}
	for i, subject := range map[int]string{2: issued.JSON201.Cards[0].Id, 5: issued.JSON201.Cards[0].Id, 3: task, 4: task} {
		if got := fmt.Sprintf("%x", entries[i].Subject); got != strings.ReplaceAll(subject, "-", "") {
			t.Errorf("entry %d is about %s, want %s", i, got, subject)
		}
	}
}

func TestRefusalsReplaysAndPollsAreNotAudited(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	two, key := 2, "the-key"
	request := api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &two}
	bulk(t, m, &key, request)
	before := len(audited(t, s, m.ID))
	bulk(t, m, &key, request)
	m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{}`))
	s.Merchant().Do(http.MethodPost, m.Cards()+"/bulk", jsonHeader, []byte(`{"initialValue":1,"count":2}`))
	get(t, s, s.URL+"/v2/giftcards/downloads/nonsense")
	if after := len(audited(t, s, m.ID)); after != before {
		t.Errorf("%d entries more", after-before)
	}
}

// TestTheCallersRequestIDIsKeptBesideTheServers: a caller who sends the id of another request does
// not appear under that id, neither in the log nor in the audit log.
func TestTheCallersRequestIDIsKeptBesideTheServers(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	first := m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{"initialValue":1,"merchantId":"`+m.ID+`"}`))
	stolen := first.Header.Get("X-Request-Id")
	for _, path := range []string{m.Cards(), m.Cards() + "/bulk"} {
		body := `{"initialValue":1,"merchantId":"` + m.ID + `"}`
		if strings.HasSuffix(path, "/bulk") {
			body = `{"initialValue":1,"count":2}`
		}
		answer := m.Do(http.MethodPost, path, http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {stolen}}, []byte(body))
		if answer.Status != http.StatusCreated || answer.Header.Get("X-Request-Id") != stolen {
			t.Errorf("%s: %d %v", path, answer.Status, answer.Header)
		}
		entries := audited(t, s, m.ID)
		last := entries[len(entries)-1]
		if *last.RequestID == stolen || *last.ClientRequestID != stolen {
			t.Errorf("%s: the audit log has %s and %s", path, *last.RequestID, *last.ClientRequestID)
		}
		if log := s.Log.String(); !strings.Contains(log, `"request_id":"`+*last.RequestID+`","client_request_id":"`+stolen+`"`) {
			t.Errorf("%s: the log has not both ids", path)
		}
	}
	if lines := strings.Count(s.Log.String(), `"request_id":"`+stolen+`"`); lines != 1 {
		t.Errorf("%d lines of the log have the id as the server's own", lines)
	}
}
