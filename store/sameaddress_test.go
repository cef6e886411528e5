package store_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"giftcards/store"
	"giftcards/store/id"
)

// TestLettersAreTheSameForGoAsForPostgreSQL: all letters with another case, and all that
// strings.EqualFold takes for the same.
func TestLettersAreTheSameForGoAsForPostgreSQL(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var letters, others []string
	for r := rune(1); r <= unicode.MaxRune; r++ {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			letters, others = append(letters, string(r)), append(others, string(other))
		}
		if small := unicode.ToLower(r); small != r {
			letters, others = append(letters, string(r)), append(others, string(small))
		}
	}
	// Some systems do not know every letter. For them such a letter is a sign without cases.
	rows, err := f.Pool().Query(t.Context(), `select l, o, lower(l) = lower(o) from unnest($1::text[], $2::text[]) as r (l, o)
		where upper(l) <> lower(l) and upper(o) <> lower(o)`, letters, others)
	must(t, err)
	defer rows.Close()
	pairs := 0
	for ; rows.Next(); pairs++ {
		var letter, other string
		var same bool
		must(t, rows.Scan(&letter, &other, &same))
		if store.SameAddress(letter, other) != same {
			t.Errorf("%s and %s are the same for one of the two", letter, other)
		}
	}
	if must(t, rows.Err()); pairs < 2*26 {
		t.Errorf("only %d pairs are compared", pairs)
	}
}

// TestAPersonWithAnotherLetterIsAnotherPerson, wherever the person is looked for: an export and an
// erasure of one leave the other as it is.
func TestAPersonWithAnotherLetterIsAnotherPerson(t *testing.T) {
	t.Parallel()
	for asked, other := range map[string]string{"sam@example.com": "ſam@example.com", "νίκοσ@example.com": "νίκος@example.com"} {
		t.Run(asked, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			for _, email := range []string{strings.ToUpper(asked[:len(asked)-len("@example.com")]) + "@example.com", other} {
				f.keyed(t, email, store.Recipient{Email: &email})
			}
			commit(t, f.Store, func(tx *store.Tx) error {
				_, err := tx.AddTask(t.Context(), f.access, f.terms(t), 2, []store.Recipient{{Email: &asked}, {Email: &other}})
				return err
			})
			p := store.Person{Channel: store.ChannelEmail, Address: asked}
			found, err := store.Read(t.Context(), f.Store, func(tx *store.Tx) (store.PersonalData, error) { return tx.PersonalData(t.Context(), p) })
			must(t, err)
			if len(found.Cards) != 1 || len(found.Answers) != 1 || len(found.Messages) != 1 || len(found.Waiting) != 1 {
				t.Errorf("%d cards, %d answers, %d messages, %d waiting", len(found.Cards), len(found.Answers), len(found.Messages), len(found.Waiting))
			}
			if waiting, erased := f.erase(t, p); waiting != 1 || len(erased.Cards) != 1 || erased.Answers != 1 || erased.Messages != 1 {
				t.Errorf("%d waiting and %+v are erased", waiting, erased)
			}
		})
	}
}

// TestAStoredAnswerIsFoundByEverySpelling of its address, also if its card has another owner now.
func TestAStoredAnswerIsFoundByEverySpelling(t *testing.T) {
	t.Parallel()
	for kept, asked := range map[string]string{"İnci.Kaya@example.com": "inci.kaya@example.com", "ÉLISE@example.com": "élise@example.com"} {
		t.Run(kept, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			card := f.keyed(t, "given away", store.Recipient{Email: &kept})
			f.activate(t, card)
			f.changed(t, card, func(tx *store.Tx, c *store.Card) error {
				return tx.TransferOwnership(t.Context(), c, "Bo", "bo@example.com", id.ID{})
			})
			if _, erased := f.erase(t, store.Person{Channel: store.ChannelEmail, Address: asked}); erased.Answers != 1 || erased.Messages != 1 {
				t.Errorf("%d answers and %d messages are erased", erased.Answers, erased.Messages)
			}
		})
	}
}

// TestAMessageInAnotherSpellingIsErasedWithItsCard: a till has written the address in capital letters
// since the message was sent, and the card is found by its number.
func TestAMessageInAnotherSpellingIsErasedWithItsCard(t *testing.T) {
	t.Parallel()
	f := setup(t)
	email, phone, capitals := "ada@example.com", "+442079460018", "ADA@example.com"
	card := f.keyed(t, "ada", store.Recipient{Email: &email})
	f.clock.Move(time.Minute)
	must(t, f.readdress(t, card, store.ChannelSMS, phone, false))
	f.changed(t, card, func(_ *store.Tx, c *store.Card) error { return c.Activate(&capitals, nil) })
	if _, erased := f.erase(t, store.Person{Channel: store.ChannelSMS, Address: phone}); len(erased.Cards) != 1 || erased.Messages != 2 {
		t.Errorf("%d cards and %d messages are erased", len(erased.Cards), erased.Messages)
	}
	if tables := f.traces(t, email); len(tables) > 0 {
		t.Errorf("the person is still in %v", tables)
	}
}
