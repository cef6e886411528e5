package server_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// setProgram sets all settings of the merchant's program, and renames it and the merchant.
func setProgram(t *testing.T, s *servertest.Server, m *servertest.Merchant, change func(*store.ProgramSettings)) {
	t.Helper()
	program, err := id.Parse(m.ProgramID)
	if err != nil {
		t.Fatal(err)
	}
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (store.Program, error) {
		return tx.SetProgram(t.Context(), program, func(s *store.ProgramSettings) error {
			change(s)
			return nil
		})
	})
}

// french are settings of a shop in Lyon.
func french(s *store.ProgramSettings) {
	s.Currency, s.Locale, s.TimeZone = new("EUR"), new("fr-FR"), "Europe/Paris"
	s.SenderName, s.ReplyTo, s.DefaultDesign = new("La Boutique"), new("bonjour@example.com"), new("noel")
	s.Receipts, s.RecipientRetention = store.Receipts, new(720*time.Hour)
}

// varying are the parts of an answer that differ from card to card.
var varying = regexp.MustCompile(`[0-9a-f]{24}|"lastFourDigits":"\d{4}"|\b\d{16}\b|"\d{6}"|\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)|downloads/[A-Za-z0-9_-]+`)

// TestNoAnswerOfTheAPIKnowsTheSettingsOfAProgram: a card's whole life is answered with the same
// bytes, whatever the program's currency, language and zone.
func TestNoAnswerOfTheAPIKnowsTheSettingsOfAProgram(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	plain, set := s.Merchant(), s.Merchant()
	setProgram(t, s, set, french)
	life := func(m *servertest.Merchant) (answers []string) {
		do := func(method, path, body string) string {
			var content []byte
			if body != "" {
				content = []byte(body)
			}
			answer := m.Do(method, path, nil, content)
			said := strings.ReplaceAll(strings.ReplaceAll(string(answer.Body), m.Email, "EMAIL"), m.ProgramID, "PROGRAM")
			answers = append(answers, method+" "+varying.ReplaceAllString(path, "*")+"\n"+http.StatusText(answer.Status)+"\n"+varying.ReplaceAllString(said, "*"))
			return string(answer.Body)
		}
		created := do(http.MethodPost, m.Cards(), `{"initialValue":"50.00","merchantId":"`+m.ID+`","customerEmail":"ada@example.com","customerName":"Ada","expiresAt":"`+
			time.Now().AddDate(1, 0, 0).Format("2006-01-02")+`T10:00:00Z"}`)
		card := m.Cards() + "/" + regexp.MustCompile(`"id":"([0-9a-f]{24})"`).FindStringSubmatch(created)[1]
		do(http.MethodPost, card+"/activate", `{}`)
		do(http.MethodPost, card+"/redeem", `{"amount":"12.50"}`)
		do(http.MethodPost, card+"/redeem", `{"amount":"5000"}`)
		do(http.MethodPost, card+"/reload", `{"amount":"7"}`)
		do(http.MethodPost, card+"/resend-code", `{}`)
		do(http.MethodGet, card+"?include_transactions=true", "")
		do(http.MethodGet, allCards, "")
		do(http.MethodGet, searchPath(m.ProgramID)+"?q=ada", "")
		program := "/v2/giftcards/programs/" + m.ProgramID
		for _, report := range []string{"business", "expiration-warnings", "escheatment"} {
			do(http.MethodGet, program+"/reports/"+report, "")
		}
		do(http.MethodPost, m.Cards()+"/bulk", `{"initialValue":"5","merchantId":"`+m.ID+`","count":3}`)
		do(http.MethodPost, card+"/void", `{}`)
		return answers
	}
	want, got := life(plain), life(set)
	for i := range want {
		clean := func(answer string) string {
			return strings.NewReplacer(plain.ID, "M", set.ID, "M", plain.ProgramID, "P", set.ProgramID, "P").Replace(answer)
		}
		if clean(want[i]) != clean(got[i]) {
			t.Errorf("with settings:\n%s\nwithout:\n%s", got[i], want[i])
		}
	}
}

// TestThePageOfADownloadIsInTheProgramsLanguage, with its money, its days and its zone.
func TestThePageOfADownloadIsInTheProgramsLanguage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.StopAt(time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC))
	m := s.Merchant()
	many := 1200
	expires := time.Date(2027, 3, 1, 23, 0, 0, 0, time.UTC) // midnight in Paris
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "1250"), Count: &many, ExpiresAt: &expires}).JSON202.TaskId
	link := *pollToEnd(t, m, task).CsvDownloadUrl
	csv := string(get(t, s, link).Body)
	setProgram(t, s, m, french)
	page := strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(string(browse(t, s, link).Body))
	for _, want := range []string{
		`<html lang="fr-FR" dir="ltr">`, "Vos cartes cadeaux sont prêtes", "1 200 <small>cartes</small>", "<dd>1 250,00 €</dd>", "<dd>1er mars 2027</dd>",
		`<time datetime="2026-11-26T13:00:00Z">26 novembre 2026 à 14:00 (UTC+01:00)</time>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	var got sheet
	part(t, get(t, s, link+"?format=xlsx").Body, "xl/worksheets/sheet1.xml", &got)
	row := func(i int) (texts []string) {
		for _, cell := range got.Rows[i].Cells {
			texts = append(texts, strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(cell.Text))
		}
		return texts
	}
	if head := strings.Join(row(0), "|"); head != "Numéro de carte|Code de sécurité|Montant initial|Valable jusqu’au|Identifiant" {
		t.Errorf("the header is %s", head)
	}
	if first := row(1); first[2] != "1 250,00 €" || first[3] != "2 mars 2027 à 00:00 (UTC+01:00)" || !strings.Contains(csv, first[0]+","+first[1]+",") {
		t.Errorf("the first card is %s", first)
	}
	if again := string(get(t, s, link).Body); again != csv {
		t.Error("the CSV, which programs read, has changed")
	}
}
