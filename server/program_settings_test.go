package server_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/jobs/message/texts"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
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

// french sets the settings of a shop in Lyon.
func french(s *store.ProgramSettings) {
	s.Currency, s.Locale, s.TimeZone = new("EUR"), new("fr-FR"), "Europe/Paris"
	s.SenderName, s.ReplyTo, s.DefaultDesign = new("La Boutique"), new("bonjour@example.com"), new("noel")
	s.Receipts, s.RecipientRetention = store.Receipts, new(720*time.Hour)
}

// varying are the parts of an answer that differ from card to card.
var varying = regexp.MustCompile(`[0-9a-f]{24}|"lastFourDigits":"\d{4}"|\b\d{16}\b|"\d{6}"|\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)|downloads/[A-Za-z0-9_-]+`)

// TestNoAnswerOfTheAPIDependsOnTheSettingsOfAProgram: the answers about a card's whole life have the
// same bytes, whatever the program's currency, language and time zone are.
func TestNoAnswerOfTheAPIDependsOnTheSettingsOfAProgram(t *testing.T) {
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

// TestThePageOfADownloadIsInTheProgramsLanguage, with its currency, its date format and its zone.
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

// withArabic starts a server to which an operator has added Arabic.
func withArabic(t *testing.T) *servertest.Server {
	t.Helper()
	languages, err := texts.Load(filepath.Join("..", "jobs", "message", "testdata", "languages"))
	check.Must(t, err)
	return servertest.New(t, func(o *server.Options) { o.Languages = languages })
}

// TestThePageOfARunningTaskIsInTheProgramsLanguage, with its format of numbers. The page and the
// workbook are mirrored for an operator's language that is written from right to left.
func TestThePageOfARunningTaskIsInTheProgramsLanguage(t *testing.T) {
	t.Parallel()
	s := withArabic(t)
	m := s.Merchant()
	worker := takeSlot(t, s, m)
	many := 12_345
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &many}).JSON202.TaskId
	link, _, _ := strings.Cut(strings.TrimPrefix(m.Do(http.MethodGet, m.Cards()+"/bulk/"+task, nil, nil).Header.Get("Link"), "<"), ">")
	page := func(locale string) string {
		setProgram(t, s, m, func(p *store.ProgramSettings) { p.Locale = &locale })
		return strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(string(browse(t, s, link).Body))
	}
	if waiting := page("de-DE"); !strings.Contains(waiting, "Wartet auf den Start") || !strings.Contains(waiting, "<title>0 % · Geschenkkarten</title>") {
		t.Errorf("before the task begins:\n%s", waiting)
	}
	reportProgress(t, s, worker, task, 5000)
	check.Until(t, "the progress of the task", func() bool { return strings.Contains(page("en"), `value="5000"`) })
	for locale, want := range map[string][]string{
		"en":    {`<html lang="en" dir="ltr">`, "<title>40% · Gift cards</title>", "Your gift cards are being issued", "Issued so far: 5,000 of 12,345"},
		"de-DE": {`<html lang="de-DE" dir="ltr">`, "<title>40 % · Geschenkkarten</title>", "Ihre Geschenkkarten werden erstellt", "Bisher erstellt: 5.000 von 12.345"},
		"fr-FR": {"<title>40 % · Cartes cadeaux</title>", "Vos cartes cadeaux sont en cours de création", "Déjà créées : 5 000 sur 12 345"},
		"es-ES": {"<title>40 % · Tarjetas regalo</title>", "Se están creando tus tarjetas regalo", "Creadas hasta ahora: 5000 de 12.345"},
		"it-IT": {"<title>40% · Carte regalo</title>", "Le tue carte regalo sono in preparazione", "Create finora: 5000 di 12.345"},
		"nl-NL": {"<title>40% · Cadeaukaarten</title>", "Je cadeaukaarten worden aangemaakt", "Tot nu toe aangemaakt: 5.000 van 12.345"},
		"ar":    {`<html lang="ar" dir="rtl">`, "يجري إصدار بطاقات هداياك"},
	} {
		got := page(locale)
		for _, text := range append(want, `value="5000" max="12345"`, `http-equiv="refresh"`) {
			if !strings.Contains(got, text) {
				t.Errorf("in %s the page lacks %s:\n%s", locale, text, got)
			}
		}
		if locale != "en" && strings.Contains(got, "card") && strings.Contains(got, "issued") {
			t.Errorf("in %s the page is English:\n%s", locale, got)
		}
	}
	check.Must(t, worker.Rollback(t.Context()))
}

// TestTheWorkbookIsInTheDirectionOfTheProgramsLanguage: columns go from right to left in Arabic.
func TestTheWorkbookIsInTheDirectionOfTheProgramsLanguage(t *testing.T) {
	t.Parallel()
	s := withArabic(t)
	m := s.Merchant()
	link, _ := issuedCSV(t, s, m, 60)
	for locale, mirrored := range map[string]bool{"ar": true, "de-DE": false} {
		setProgram(t, s, m, func(p *store.ProgramSettings) { p.Locale = &locale })
		var got sheet
		part(t, get(t, s, link+"?format=xlsx").Body, "xl/worksheets/sheet1.xml", &got)
		if len(got.Views) != 1 || got.Views[0].Mirrored != mirrored {
			t.Errorf("the workbook in %s: %+v", locale, got.Views)
		}
	}
}
