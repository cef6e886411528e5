package server_test

import (
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
)

// TestATaskThatWasStoppedSaysSo: a poll says that the task was stopped, and metrics count it as
// stopped and not as failed.
func TestATaskThatWasStoppedSaysSo(t *testing.T) {
	t.Parallel()
	s := withoutJobs(t)
	m := s.Merchant()
	many := 60
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}).JSON202.TaskId
	colleague := s.Client(mint(t, s, user(t, s, m.ID), m.ID))
	change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), m.Email, false) })
	worker := servertest.NewOn(t, s.DatabaseURL, s.KeyFile)
	var status *api.BulkIssuanceTaskStatus
	for deadline := time.Now().Add(time.Minute); status == nil || status.Status != "failed"; time.Sleep(20 * time.Millisecond) {
		answer, err := colleague.PollBulkIssuanceWithResponse(t.Context(), m.ProgramID, task)
		must(t, err)
		if status = answer.JSON200; time.Now().After(deadline) {
			t.Fatalf("the task never failed: %s", answer.Body)
		}
	}
	const want = "The user who asked for the cards may not issue them any more; no card was issued."
	if status.Error == nil || *status.Error != want || status.FailedCount == nil || *status.FailedCount != many {
		t.Errorf("error %v, want %q; failed %v", status.Error, want, status.FailedCount)
	}
	const stopped, failed = `giftcards_tasks_finished_total{status="stopped"}`, `giftcards_tasks_finished_total{status="failed"}`
	for deadline := time.Now().Add(time.Minute); worker.Metrics()[stopped] != 1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the task never counts as stopped")
		}
	}
	if n := worker.Metrics()[failed]; n != 0 {
		t.Errorf("%v tasks count as failed", n)
	}
}
