package store_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/storetest"
)

// people fills the tables with many people. Each has a card, a sent message, a sent receipt and a
// stored answer. The newest people have cards that are not searchable yet, and a message and a
// receipt that wait. All mail addresses have the same domain.
func people(t testing.TB, s *store.Store, program id.ID, many int) {
	t.Helper()
	row := fmt.Sprintf(`select '\x%s'::bytea as program_id, int4send(1700000000) || int8send(i) as card_id, 'grace.hopper.' || i || '@example.com' as address,
		i > %d as fresh, i from generate_series(1, %d) as i`, program, many-many/200, many)
	statements := []string{
		`insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, customer_email, customer_phone, customer_name, sender_name,
			custom_message, expires_at, created_at, searchable)
		select program_id, card_id, 9000000000000000 + i, sha256(int8send(i)), 25, false, address, '+4420' || lpad(i::text, 8, '0'), 'Grace Hopper', 'Ada Lovelace',
			'Happy birthday, Grace!', now() + interval '1 year', now(), not fresh from (%s) as r`,
		`insert into messages (program_id, card_id, channel, kind, sequence, address, bulk, send_at, status, sent_at, next_attempt_at, created_at)
		select program_id, card_id, 'email', 'card', 0, address, i %% 2 = 0, now(), case when fresh then 'scheduled' else 'sent' end, case when not fresh then now() end, now(), now() from (%s) as r`,
		`insert into receipts (program_id, card_id, kind, occasion, channel, address, amount, balance, status, next_attempt_at, give_up_at, created_at)
		select program_id, card_id, 'redeemed', i::text, 'email', address, -5, 20, case when fresh then 'scheduled' else 'sent' end, now(), now(), now() from (%s) as r`,
		`insert into idempotency_keys (program_id, operation, key, request_hash, status, answer, created_at)
		select program_id, 'createGiftCard', i::text, sha256(int8send(i)), 201, convert_to(json_build_object('id', encode(card_id, 'hex'), 'programId', encode(program_id, 'hex'),
			'cardNumber', (9000000000000000 + i)::text, 'securityCode', '046275', 'status', 'pending', 'balance', '0.00', 'initialValue', '25.00', 'isPhysical', false,
			'customerEmail', address, 'customerPhone', null, 'customerName', 'Grace Hopper', 'senderName', 'Ada Lovelace', 'customMessage', 'Happy birthday, Grace!',
			'deliverAt', null, 'delivered', false, 'expiresAt', now() + interval '1 year', 'createdAt', now(), 'activatedAt', null)::text, 'UTF8'), now()
		from (%s) as r`,
	}
	storetest.AsOwner(t, s, func(tx *store.Tx) (struct{}, error) {
		for _, statement := range statements {
			if _, err := tx.Unwrap().Exec(t.Context(), fmt.Sprintf(statement, row)); err != nil {
				return struct{}{}, err
			}
		}
		_, err := tx.Unwrap().Exec(t.Context(), "analyze gift_cards, messages, receipts, idempotency_keys")
		return struct{}{}, err
	})
}

// grace returns one of the people twice: by mail address, and by telephone number.
func grace(i int) []store.Person {
	return []store.Person{
		{Channel: store.ChannelEmail, Address: fmt.Sprintf("Grace.Hopper.%d@example.com", i)},
		{Channel: store.ChannelSMS, Address: fmt.Sprintf("+4420%08d", i)},
	}
}

// TestAPersonIsFoundByIndexes: neither an export nor an erasure reads a whole table of cards,
// messages or receipts. Both also find messages that wait.
func TestAPersonIsFoundByIndexes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const many = 10_000
	people(t, f.Store, f.program, many)
	for i, of := range []int{7, many} {
		persons := grace(of)
		if i == 0 { // the first person is erased by mail address, and the second one by number
			slices.Reverse(persons)
		}
		for j, p := range persons {
			commit(t, f.Store, func(tx *store.Tx) error {
				found, err := tx.PersonalData(t.Context(), p)
				if err != nil {
					return err
				}
				if p.Channel == store.ChannelEmail && (len(found.Cards) != 1 || len(found.Messages) != 1 || len(found.Receipts) != 1 || len(found.Answers) != 1) ||
					p.Channel == store.ChannelSMS && len(found.Cards) != 1 {
					t.Errorf("%s: %d cards, %d messages, %d receipts, %d answers", p.Address, len(found.Cards), len(found.Messages), len(found.Receipts), len(found.Answers))
				}
				if j == 1 {
					if _, err := tx.ErasePerson(t.Context(), p); err != nil {
						return err
					}
				}
				var read int64
				err = tx.Unwrap().QueryRow(t.Context(), `select sum(seq_tup_read)::bigint from pg_stat_xact_user_tables
					where schemaname = current_schema() and relname in ('gift_cards', 'messages', 'receipts')`).Scan(&read)
				if read > 0 {
					t.Errorf("%s: %d rows were read from tables without an index", p.Address, read)
				}
				return err
			})
		}
	}
	if n := f.count(t, "gift_cards where customer_email is not null"); n != many-2 {
		t.Errorf("%d cards have a recipient", n)
	}
}

var benchPeople = flag.Int("people", 20_000, "number of people among whom BenchmarkPerson looks for one")

// BenchmarkPerson exports and erases one of -people, each with a card, a message, a receipt and a
// stored answer. Two million take five minutes and 6 GB:
//
//	bin/withserver go test -run '^$' -bench Person -benchtime 5x ./store -args -people=2000000
func BenchmarkPerson(b *testing.B) {
	keys, err := keyring.Create(filepath.Join(b.TempDir(), "keys.json"))
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.Context(), storetest.URL(b), store.Options{Keys: keys})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	people(b, s, storetest.Program(b, s).ID, *benchPeople)
	next := 0
	for channel, by := range []string{"mail", "number"} {
		b.Run("export/"+by, func(b *testing.B) {
			for b.Loop() {
				next = next%*benchPeople + 1
				_, err := store.Read(b.Context(), s, func(tx *store.Tx) (store.PersonalData, error) {
					return tx.PersonalData(b.Context(), grace(next)[channel])
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("erase/"+by, func(b *testing.B) {
			for b.Loop() {
				next = next%*benchPeople + 1
				_, err := store.Write(b.Context(), s, func(tx *store.Tx) (store.Erased, error) { return tx.ErasePerson(b.Context(), grace(next)[channel]) })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
