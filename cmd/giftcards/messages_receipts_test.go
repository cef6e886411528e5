package main

import (
	"slices"
	"strings"
	"testing"

	"giftcards/store"
)

// receipts queues receipts of a card. Each has another state, kind and occasion.
func (s *shop) receipts(task store.Task) {
	s.t.Helper()
	_, err := s.database.Exec(s.t.Context(), `
		insert into receipts (program_id, card_id, kind, occasion, channel, address, amount, balance, status, attempts, unconfirmed, next_attempt_at, give_up_at, last_error, created_at)
		select $1, $2, r.kind, r.occasion, 'email', 'ada@example.com', -1, 4, r.status, r.attempts, r.unconfirmed, now() + interval '1 hour', now(), r.error, now() + interval '1 second'
		from (values ('redeemed', 'refused', 'failed', 3, false, '550 no'), ('redeemed', 'lost', 'failed', 2, true, 'handed over'), ('reloaded', 'waits', 'scheduled', 2, false, '451 later'),
			('redeemed', 'taken', 'sent', 1, false, null), ('expiring', 'in a file', 'written', 1, false, null)) as r (kind, occasion, status, attempts, unconfirmed, error)`,
		task.ProgramID, task.FirstCardID)
	must(s.t, err)
}

// TestOperatorsListRetryAndDropReceipts like other messages, by kind. A receipt that was sent, or that a
// mail server may have accepted, is not sent again.
func TestOperatorsListRetryAndDropReceipts(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	task := s.task(s.access, 2)
	s.issue(task)
	s.receipts(task)
	card := task.FirstCardID.String()
	listed := func(args ...string) (occasions []string) {
		t.Helper()
		var rows []printedMessage
		s.do(&rows, append([]string{"messages", "list"}, args...)...)
		for _, row := range rows {
			occasion := row.Kind
			if row.Occasion != nil {
				occasion += " " + *row.Occasion
			}
			occasions = append(occasions, occasion)
		}
		return occasions
	}
	lists := func(want string, args ...string) {
		t.Helper()
		if got := strings.Join(listed(args...), ", "); got != want {
			t.Errorf("%v lists %q, want %q", args, got, want)
		}
	}
	lists("redeemed refused, redeemed lost")
	lists("redeemed refused", "--limit=1")
	lists("", "--kind=card,reloaded")
	lists("reloaded waits, card, card", "--status=scheduled")
	lists("card, card", "--status=scheduled", "--kind=card")
	lists("reloaded waits", "--status=scheduled", "--kind=reloaded,activated")

	retried := func(want int, args ...string) {
		t.Helper()
		var printed printedRetry
		if s.do(&printed, append([]string{"messages", "retry"}, args...)...); printed.Retried != want {
			t.Errorf("retry %v: %d, want %d", args, printed.Retried, want)
		}
	}
	retried(0, "--all", "--kind=card,activated")
	retried(2, card) // the refused one, and the one that waits
	lists("redeemed lost")
	retried(0, "--all")
	retried(0, "--written", "--kind=redeemed")
	retried(1, "--written")
	lists("redeemed taken", "--status=sent")
	if n := s.count("receipts where status = 'scheduled' and attempts = 0 and next_attempt_at <= now() and give_up_at > now() + interval '23 hours'"); n != 2 {
		t.Errorf("%d receipts begin again, want 2", n)
	}
	if n := s.count("receipts where occasion = 'waits' and attempts = 2 and next_attempt_at <= now()"); n != 1 {
		t.Error("the receipt that waits is not due, or has lost its count")
	}

	_, err := s.database.Exec(t.Context(), "update receipts set unconfirmed = true, next_attempt_at = now() + interval '1 minute' where occasion = 'waits'")
	must(t, err)
	var dropped printedDrop
	s.do(&dropped, "messages", "drop", "--kind=reloaded", card)
	if dropped.Dropped != 1 || len(dropped.BeingSent) != 1 || dropped.BeingSent[0] != task.FirstCardID {
		t.Errorf("the receipt that is being sent: %+v", dropped)
	}
	if s.do(&dropped, "messages", "drop", "--user="+s.access.User.Email); dropped.Dropped != 5 || len(dropped.BeingSent) != 0 {
		t.Errorf("all that is left: %+v, want two messages and three receipts", dropped)
	}
	if got := listed("--status=dropped"); len(got) != 6 || slices.Contains(got, "redeemed taken") {
		t.Errorf("dropped: %v", got)
	}
	for _, args := range [][]string{
		{"list", "--kind=receipt"}, {"retry", "--all", "--kind=x"}, {"drop", card, "--kind=x"}, {"list", "--bounced", "--kind=card"},
		{"retry", "--sent", "--kind=redeemed", card}, {"retry", "--kind=card", "--to=bo@example.com", card}, {"retry", card}, {"drop", "--kind=redeemed", card},
	} {
		if code, stdout, stderr := command(t, "", append(append([]string{"messages"}, args...), s.settings...)...); code == 0 || stderr == "" {
			t.Errorf("messages %v: %d %s", args, code, stdout)
		}
	}
	if n := s.count("audit_log where operation = 'messages retry'"); n != 5 {
		t.Errorf("%d retries are in the audit log, want 5", n)
	}
}
