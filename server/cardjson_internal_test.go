package server

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
)

// awkward are texts that JSON must escape, and some that it need not.
var awkward = []string{
	"", "Grace Hopper", `"quoted\`, "<b>&amp;</b>", "Zoë", "\u2028\u2029", "tab\tnew\nline\x00\x1f\x7f", "no \xff UTF-8", "🎁",
}

// fill sets every field of a struct to the n-th value of its type. If n is 0, every pointer becomes
// nil. fill fails for a type that it does not know.
func fill(t *testing.T, pointer any, n int) {
	t.Helper()
	value := reflect.ValueOf(pointer).Elem()
	for i := range value.NumField() {
		field := value.Field(i)
		if field.Kind() == reflect.Pointer {
			if n == 0 || value.Type().Field(i).Name == "Card" {
				continue
			}
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
		}
		switch field.Addr().Interface().(type) {
		case *time.Time:
			field.Set(reflect.ValueOf(time.Date(2030, 1, 2, 3, 4, 5, n*1000*(i+1)*97, time.UTC)))
		case *money.Amount:
			amounts := []string{"0", "-25", "10000.00", "5000.005", "0.1"}
			amount, err := money.Parse(amounts[(n+i)%len(amounts)])
			if err != nil {
				t.Fatal(err)
			}
			field.Set(reflect.ValueOf(amount))
		default:
			switch field.Kind() {
			case reflect.String:
				field.SetString(awkward[(n+i)%len(awkward)])
			case reflect.Bool:
				field.SetBool((n+i)%2 == 0)
			case reflect.Int:
				field.SetInt(int64(n * i))
			case reflect.Slice:
			default:
				t.Fatalf("%s has a new type", value.Type().Field(i).Name)
			}
		}
	}
}

// TestHandWrittenAnswersAreByteForByteThoseOfEncodingJSON for the generated types.
func TestHandWrittenAnswersAreByteForByteThoseOfEncodingJSON(t *testing.T) {
	t.Parallel()
	same := func(got []byte, encoded any) {
		t.Helper()
		want, err := json.Marshal(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for n := range 2 * len(awkward) {
		var card api.GiftCardResponse
		fill(t, &card, n)
		same(appendGiftCard(nil, &card), card)
		var transaction api.GiftCardTransactionResponse
		fill(t, &transaction, n)
		same(appendTransaction(nil, &transaction), transaction)
		var task api.BulkIssuanceTaskStatus
		fill(t, &task, n)
		task.IssuedCount, task.Cards, task.CsvDownloadUrl = nil, nil, nil // only a task with cards has them
		same(appendTaskStatus(nil, &task), task)
	}
	entry := store.Entry{ID: id.New(time.Now()), Type: store.EntryReload, CreatedAt: time.Now()}
	for entries := range 3 {
		card := api.GiftCardResponse{MerchantId: "m"}
		details := api.GiftCardDetailsResponse{MerchantId: "m"}
		var stored []store.Entry
		if entries > 0 { // 1: none, 2: two of them
			stored = make([]store.Entry, 2*(entries-1))
			details.Transactions = &[]api.GiftCardTransactionResponse{}
			for i := range stored {
				stored[i] = entry
				*details.Transactions = append(*details.Transactions, toTransaction(&entry, "m"))
			}
		}
		same(appendDetails(nil, &card, stored), details)
	}
}

// BenchmarkCardJSON compares both ways to encode a card.
func BenchmarkCardJSON(b *testing.B) {
	now, value := time.Now().UTC().Truncate(time.Microsecond), money.Amount{}
	name, mail := "Grace Hopper", "grace.hopper@example.com"
	card := api.GiftCardResponse{
		Id: id.New(now).String(), CardNumber: "9000000000000001", LastFourDigits: "0001", Balance: value, InitialValue: value, Status: "active",
		CreatedAt: now, ActivatedAt: &now, ExpiresAt: now, CustomerName: &name, CustomerEmail: &mail, MerchantId: id.New(now).String(), ProgramId: id.New(now).String(),
	}
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		var buffer []byte
		for b.Loop() {
			buffer = appendGiftCard(buffer[:0], &card)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(card); err != nil {
				b.Fatal(err)
			}
		}
	})
}
