package store_test

import (
	"testing"

	"giftcards/store"
)

// TestATaskOfTheVersionBeforeIsIssued: its recipients are a row each.
func TestATaskOfTheVersionBeforeIsIssued(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ada, grace := "ada@example.com", "grace@example.com"
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), store.Access{}, f.terms(t), 2, []store.Recipient{{Email: &ada}, {Name: &grace}})
	})
	for _, statement := range []string{
		"delete from task_recipients",
		"insert into bulk_recipients (program_id, task_id, position, customer_email) select program_id, id, 0, 'ada@example.com' from bulk_tasks",
		"insert into bulk_recipients (program_id, task_id, position, customer_name) select program_id, id, 1, 'Grace' from bulk_tasks",
	} {
		_, err := f.Pool().Exec(t.Context(), statement)
		must(t, err)
	}
	write(t, f.Store, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(int) {})
	})
	var first, second string
	var left int
	must(t, f.Pool().QueryRow(t.Context(), "select customer_email from gift_cards order by id limit 1").Scan(&first))
	must(t, f.Pool().QueryRow(t.Context(), "select customer_name from gift_cards order by id desc limit 1").Scan(&second))
	must(t, f.Pool().QueryRow(t.Context(), "select count(*) from bulk_recipients").Scan(&left))
	if first != ada || second != "Grace" || left != 0 || count(t, f.Store) != 2 {
		t.Errorf("%d cards, for %s and %s, and %d recipients left", count(t, f.Store), first, second, left)
	}
}
