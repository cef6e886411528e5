package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// answersAbout chooses the stored answers about a person: those with the person's address, and
// those about one of the person's cards with an address that the card has.
type answersAbout struct {
	person Person
	cards  map[string][]string // the addresses of each card, by its id as the API prints it
}

func (a *answersAbout) add(card *GiftCard) {
	a.addAddresses(card.ID, card.CustomerEmail, card.CustomerPhone)
}

func (a *answersAbout) addAddresses(card id.ID, addresses ...*string) {
	for _, address := range addresses {
		if address != nil {
			if a.cards == nil {
				a.cards = map[string][]string{}
			}
			a.cards[card.String()] = append(a.cards[card.String()], *address)
		}
	}
}

// answers returns the stored answers that a chooses, the earliest first.
func (tx *Tx) answers(ctx context.Context, a answersAbout) ([]StoredAnswer, error) {
	texts, spellings, err := a.texts()
	if err != nil {
		return nil, err
	}
	rows, err := tx.q.FindAnswersWith(ctx, spellings, texts)
	if err != nil {
		return nil, fmt.Errorf("find stored answers: %w", err)
	}
	var found []StoredAnswer
	for _, row := range rows {
		// The text may be a part of another address.
		if _, about, err := a.redact(row.Answer); err != nil {
			return nil, err
		} else if about {
			found = append(found, StoredAnswer{row})
		}
	}
	return found, nil
}

// texts are parts of JSON of which every chosen answer has one, escaped for like. spellings are
// their spellings.
func (a *answersAbout) texts() (texts []string, spellings [][]byte, err error) {
	addresses := []string{a.person.Address}
	for _, of := range a.cards {
		addresses = append(addresses, of...)
	}
	slices.Sort(addresses)
	texts = slices.Compact(addresses)
	for i, address := range texts {
		quoted, err := json.Marshal(address)
		if err != nil {
			return nil, nil, fmt.Errorf("encode address: %w", err)
		}
		texts[i] = likeEscaper.Replace(string(quoted))
		spellings = append(spellings, spelling(texts[i]))
	}
	return texts, spellings, nil
}

// spelling is a pattern for like on bytes that an address has in capital and in small letters. The
// domain of a mail address is stored in small letters.
func spelling(address string) []byte {
	domain := max(0, strings.LastIndexByte(address, '@'))
	pattern := []byte{'%'}
	for _, r := range address[:domain] {
		switch {
		// Letters have several lengths in bytes: the lower case of the Kelvin sign is k, and that of İ is i.
		case r >= utf8.RuneSelf || strings.ContainsRune("kKiI", r):
			pattern = append(pattern, '%')
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			pattern = append(pattern, '_')
		default:
			pattern = append(pattern, byte(r))
		}
	}
	return append(append(pattern, address[domain:]...), '%')
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// personal are the fields of an answer that are about its card's recipient.
var personal = []string{"customerEmail", "customerPhone", "customerName", "senderName", "customMessage"}

// redact returns an answer whose fields about the person are null, and whether it had any. All
// other bytes stay as they are.
func (a *answersAbout) redact(answer []byte) ([]byte, bool, error) {
	reader := answerReader{about: a, answer: answer, decoder: json.NewDecoder(bytes.NewReader(answer))}
	if _, err := reader.value(); err != nil {
		return nil, false, fmt.Errorf("decode stored answer: %w", err)
	}
	if !reader.found {
		return answer, false, nil
	}
	// An inner object ends before the outer one, so its fields come before it in the list.
	slices.SortFunc(reader.fields, func(a, b field) int { return cmp.Compare(a.start, b.start) })
	var redacted []byte
	end := int64(0)
	for _, f := range reader.fields {
		redacted = append(append(redacted, answer[end:f.start]...), "null"...)
		end = f.end
	}
	return append(redacted, answer[end:]...), true, nil
}

// field is the place of a value in an answer.
type field struct{ start, end int64 }

// answerReader looks for the fields about a person.
type answerReader struct {
	about   *answersAbout
	answer  []byte
	decoder *json.Decoder
	fields  []field
	found   bool
}

// value reads one value, and returns it if it is a text.
func (r *answerReader) value() (text string, err error) {
	token, err := r.decoder.Token()
	if err != nil {
		return "", err
	}
	switch token := token.(type) {
	case string:
		return token, nil
	case json.Delim:
		if token == '{' {
			return "", r.object()
		}
		for r.decoder.More() {
			if _, err := r.value(); err != nil {
				return "", err
			}
		}
		_, err = r.decoder.Token() // the bracket
	}
	return "", err
}

// object reads the rest of an object, and notes its personal fields if it is about the person.
func (r *answerReader) object() error {
	texts, places := map[string]string{}, []field{}
	for r.decoder.More() {
		name, err := r.value()
		if err != nil {
			return err
		}
		start := r.decoder.InputOffset()
		start += int64(len(r.answer[start:]) - len(bytes.TrimLeft(r.answer[start:], ": \t\r\n")))
		if texts[name], err = r.value(); err != nil {
			return err
		}
		if slices.Contains(personal, name) {
			places = append(places, field{start, r.decoder.InputOffset()})
		}
	}
	if r.about.isAbout(texts) {
		r.found = true
		r.fields = append(r.fields, places...)
	}
	_, err := r.decoder.Token() // the bracket
	return err
}

// isAbout reports whether an object, of which it gets the texts, is a card with an address of the
// person.
func (a *answersAbout) isAbout(texts map[string]string) bool {
	email, phone := texts["customerEmail"], texts["customerPhone"]
	if a.person.Has(email) || a.person.Has(phone) {
		return true
	}
	return slices.ContainsFunc(a.cards[texts["id"]], func(address string) bool {
		return SameAddress(address, email) || SameAddress(address, phone)
	})
}

// eraseAnswers takes the person out of the stored answers, and returns how many it changed. A
// retry of their requests gets them without the person.
func (tx *Tx) eraseAnswers(ctx context.Context, about answersAbout) (int, error) {
	found, err := tx.answers(ctx, about)
	if err != nil {
		return 0, err
	}
	for _, answer := range found {
		// answers returns the bytes as they are stored, because PersonalData needs them.
		redacted, _, err := about.redact(answer.Answer)
		if err != nil {
			return 0, err
		}
		err = tx.q.RedactAnswer(ctx, db.RedactAnswerParams{
			ProgramID: answer.ProgramID, Operation: answer.Operation, Key: answer.Key, Subject: answer.Subject, Answer: redacted,
		})
		if err != nil {
			return 0, fmt.Errorf("redact stored answer: %w", err)
		}
	}
	return len(found), nil
}
