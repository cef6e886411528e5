package faults_test

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestTheAuditFindsEachDamage damages a database step by step. The audit must report at least one more
// exception after each step.
func TestTheAuditFindsEachDamage(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "sabotage")
	l, _, database := tr.newLoadHere()
	single := []*order{l.card(), l.card(), l.card()}
	l.run(2, l.list(append(single, l.bulk(5, true), l.bulk(5, false), l.blindCard(), l.bulk(threshold+1, true), l.bulk(threshold+1, false), l.life())))
	l.before("CONSOLIDATION") // leaves cards with a balance
	l.audit(database)
	if tr.exceptions.Load() != 0 {
		t.Fatal("there are exceptions before anything is damaged")
	}
	conn, err := pgx.Connect(tr.ctx, database)
	tr.must(err)
	defer conn.Close(tr.ctx)
	tr.sabotaged = true
	for _, table := range []string{"gift_cards", "ledger_entries"} { // the triggers of these tables would refuse the damage
		_, err := conn.Exec(tr.ctx, "alter table "+table+" disable trigger user")
		tr.must(err)
	}
	// A task that lacks a card cannot be polled, and the audit would wait for it. So cards of
	// their own are damaged.
	is := func(o *order) string {
		var answer issued
		tr.must(json.Unmarshal(o.answer, &answer))
		return "encode(id, 'hex') = '" + answer.ID + "'"
	}
	before := int64(0)
	// All damage stays, so each step must raise the number of exceptions.
	for _, damage := range []string{
		"update gift_cards set balance = balance + 1 where balance > 0",
		"delete from ledger_entries where type = 'REFUND'",
		"insert into ledger_entries select (jsonb_populate_record(e, jsonb_build_object('id', '\\x' || repeat('ff', 12)))).* from ledger_entries e where type = 'REDEMPTION'",
		"delete from ledger_entries where type = 'TRANSFER_IN'",
		"delete from ledger_entries where type = 'CONSOLIDATION' and amount > 0",
		"delete from ledger_entries where type = 'VOID'",
		"insert into ledger_entries select (jsonb_populate_record(e, jsonb_build_object('id', '\\x' || repeat('fe', 12)))).* from ledger_entries e where type = 'RELOAD'",
		"delete from gift_cards where " + is(single[0]),
		"update gift_cards set card_number = 1 where " + is(single[1]),
		copyOfACard + ", customer_name from gift_cards where " + is(single[2]),
		copyOfACard + ", 'blind-none' from gift_cards where " + is(single[2]),
		copyOfACard + ", customer_name from gift_cards where customer_name like 'blind%' and customer_name <> 'blind-none'",
		"delete from messages where card_id = (select card_id from messages order by card_id limit 1)",
		"delete from idempotency_keys where key = (select min(key) from idempotency_keys where key like 'card-%')",
		"update idempotency_keys set key = 'nobody''s' where key = (select max(key) from idempotency_keys where key like 'card-%')",
		"update bulk_tasks set status = 'failed', error = 'damaged' where id = (select id from bulk_tasks limit 1)",
		"insert into task_recipients (program_id, task_id, first, recipients) select program_id, id, 7, '' from bulk_tasks limit 1",
	} {
		if done, err := conn.Exec(tr.ctx, damage); err != nil || done.RowsAffected() == 0 {
			t.Fatalf("%s: %v %v", damage, done, err)
		}
		tr.exceptions.Store(0)
		l.audit(database)
		if found := tr.exceptions.Load(); found <= before {
			t.Errorf("%d exceptions as before: the audit does not see %s", found, damage)
		}
		before = tr.exceptions.Load()
	}
	tr.exceptions.Store(0)
}

// copyOfACard makes a card without an order.
const copyOfACard = `insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, expires_at, created_at, customer_name)
	select program_id, substring(uuid_send(gen_random_uuid()) for 12), (random() * 1e9)::bigint, sealed_code, initial_value, is_physical, expires_at, created_at`
