package store_test

import (
	"testing"

	"giftcards/store"
)

// TestATakenNumberCostsATaskOneChunk: the task writes this chunk again, and not the ones before.
func TestATakenNumberCostsATaskOneChunk(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const cards, chunk = 10_005, 10_000
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), store.Access{}, f.terms(t), cards, nil)
	})
	last := task.FirstCardID.Plus(cards - 1)
	_, err := f.Pool().Exec(t.Context(), `
		create sequence written; create sequence collided;
		create function collide() returns trigger language plpgsql as $$
		begin
			perform nextval('written'); -- no rollback takes it back
			if encode(new.id, 'hex') = tg_argv[0] and nextval('collided') = 1 then
				raise unique_violation using constraint = 'gift_cards_number_idx';
			end if;
			return new;
		end $$;
		create trigger collide before insert on gift_cards for each row execute function collide('`+last.String()+`')`)
	must(t, err)
	var told []int
	commit(t, f.Store, func(tx *store.Tx) error {
		return tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(n int) { told = append(told, n) })
	})
	if n := f.count(t, "gift_cards"); n != cards {
		t.Errorf("%d cards", n)
	}
	var written int
	must(t, f.Pool().QueryRow(t.Context(), "select last_value from written").Scan(&written))
	if most := chunk + 2*(cards-chunk); written > most {
		t.Errorf("%d rows were written, more than %d: the first chunk twice", written, most)
	}
	if len(told) != 2 || told[0] != chunk || told[1] != cards {
		t.Errorf("told of %d cards", told)
	}
}

// TestATaskStoresItsCardsInTheOrderOfTheirIDs, so that a page of them is in few blocks.
func TestATaskStoresItsCardsInTheOrderOfTheirIDs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	commit(t, f.Store, func(tx *store.Tx) error {
		task, err := tx.AddTask(t.Context(), store.Access{}, f.terms(t), 500, nil)
		if err != nil {
			return err
		}
		return tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(int) {})
	})
	var stored bool
	must(t, f.Pool().QueryRow(t.Context(), "select array_agg(id order by ctid) = array_agg(id order by id) from gift_cards").Scan(&stored))
	if !stored {
		t.Error("the cards are stored in another order")
	}
}
