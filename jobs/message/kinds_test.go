package message_test

import (
	"strings"
	"testing"

	"giftcards/jobs/message"
)

// TestEveryKindHasTheCardAndSaysWhatItIs, in every form.
func TestEveryKindHasTheCardAndSaysWhatItIs(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	says := map[string]struct{ subject, words string }{
		"card":          {"Grace sent you a gift card from Blackwood Books", "Grace sent you a gift card"},
		"code":          {"New security code for your gift card from Blackwood Books", "no longer work"},
		"owner":         {"A gift card from Blackwood Books is yours now", "yours now"},
		"consolidation": {"Your gift cards from Blackwood Books are one card now", "one card now"},
	}
	for _, kind := range message.Kinds {
		g := gift()
		g.Kind = kind
		content := compose(t, templates, g)
		_, seen := page(t, content.HTML)
		for form, text := range map[string]string{"HTML": seen, "text": content.Text, "SMS": content.SMS} {
			for _, want := range []string{"Blackwood Books", "50.00", "9849 4746 6605 2496", "046275", "23 November 2027", says[kind].words} {
				if !strings.Contains(text, want) {
					t.Errorf("the %s of %s lacks %q:\n%s", form, kind, want, text)
				}
			}
		}
		if content.Subject != says[kind].subject {
			t.Errorf("the subject of %s is %q", kind, content.Subject)
		}
		for _, secret := range []string{"9849", "046275"} {
			if strings.Contains(content.Subject+content.From, secret) {
				t.Errorf("a header of %s has %s", kind, secret)
			}
		}
	}
}

// TestOnlyTheFirstMessageOfACardHasItsSendersWords, also with a template that does not distinguish
// kinds.
func TestOnlyTheFirstMessageOfACardHasItsSendersWords(t *testing.T) {
	t.Parallel()
	old := load(t, write(t, map[string]string{
		"default.html": `{{if .Sender}}{{.Sender}} sent this{{end}}{{range .Message}}{{.}}{{end}} {{.Code}}`,
		"default.txt":  `{{define "text"}}{{.Sender}} {{range .Message}}{{.}}{{end}} {{.Code}}{{end}}`,
	}))
	for _, templates := range []*message.Templates{load(t, ""), old} {
		for _, kind := range message.Kinds {
			g := gift()
			g.Kind = kind
			content := compose(t, templates, g)
			has := strings.Contains(content.Subject+content.HTML+content.Text+content.SMS, "Grace")
			if has != (kind == "card") || !strings.Contains(content.HTML, "046275") {
				t.Errorf("the words of the sender are in %s: %v", kind, has)
			}
		}
	}
}
