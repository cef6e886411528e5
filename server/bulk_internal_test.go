package server

import (
	"encoding/json"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

func TestCardsAreWrittenAsTheirTypeIsEncoded(t *testing.T) {
	t.Parallel()
	for _, number := range []int64{9_000_000_000_000_001, 1, 9_999_999_999_999_999} {
		card := store.IssuedCard{ID: id.New(time.Now()), CardNumber: number}
		want, err := json.Marshal(toSummary(card.ID, card.CardNumber))
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendSummary([]byte("["), &card)
		if err != nil || string(got) != "["+string(want) {
			t.Errorf("%s, %v; want [%s", got, err, want)
		}
	}
}
