package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// CardRef names a card in its program.
type CardRef struct{ Program, Card id.ID }

// IssuedCards are the cards that a task or a user has issued, by program and id. Call what returns
// them in Read, so that no task ends between the two.
type IssuedCards struct {
	Cards []CardRef
	// Unfinished is the number of tasks that may still issue cards.
	Unfinished int
}

// CardsOfTask returns the cards that a task has issued. It fails with ErrTaskNotFound if there is no
// such task, or if it was deleted.
func (tx *Tx) CardsOfTask(ctx context.Context, task uuid.UUID, since time.Time) (IssuedCards, error) {
	var found bool
	if err := tx.tx.QueryRow(ctx, "select exists (select from bulk_tasks where id = $1)", task).Scan(&found); err != nil {
		return IssuedCards{}, fmt.Errorf("find task: %w", err)
	}
	if !found {
		return IssuedCards{}, ErrTaskNotFound
	}
	return tx.issuedCards(ctx, task, nil, since)
}

// CardsOfUser returns the cards that a user has issued since a time. Cards of the user's tasks are
// among them as long as the tasks are kept. The others, which the user
// issued at once or by a consolidation, are as far back as the audit log goes.
func (tx *Tx) CardsOfUser(ctx context.Context, user id.ID, since time.Time) (IssuedCards, error) {
	return tx.issuedCards(ctx, nil, user, since)
}

func (tx *Tx) issuedCards(ctx context.Context, task, user any, since time.Time) (issued IssuedCards, err error) {
	err = tx.tx.QueryRow(ctx, unfinishedTasksSQL, task, user).Scan(&issued.Unfinished)
	if err != nil {
		return issued, fmt.Errorf("count unfinished tasks: %w", err)
	}
	rows, err := tx.tx.Query(ctx, issuedCardsSQL, task, user, since)
	if err != nil {
		return issued, fmt.Errorf("find issued cards: %w", err)
	}
	issued.Cards, err = pgx.CollectRows(rows, pgx.RowToStructByPos[CardRef])
	return issued, wrap(err, "find issued cards")
}

const unfinishedTasksSQL = "select count(*) from bulk_tasks where (id = $1::uuid or user_id = $2::bytea) and status in ('pending', 'processing')"

// issuedCardsSQL looks for cards by ranges of their ids, because all cards of one request, and
// no others, share their first nine bytes. It compares times too, because an entry of the audit
// log may be about cards that were issued earlier, as that of a download is.
const issuedCardsSQL = `
with requests as (
    select program_id, substring(first_card_id for 9) as beginning, null::bytea as card, null::timestamptz as at
    from bulk_tasks where id = $1::uuid or user_id = $2::bytea
    union all
    select program_id, substring(subject for 9), case when cards = 1 then subject end, at
    from audit_log where user_id = $2 and cards > 0 and octet_length(subject) = 12
)
select distinct c.program_id, c.id
from requests r join gift_cards c on c.program_id = r.program_id
    and c.id between r.beginning || '\x000000'::bytea and r.beginning || '\xffffff'::bytea
where (r.card is null or c.id = r.card) and (r.at is null or c.created_at = r.at) and c.created_at >= $3
order by 1, 2`
