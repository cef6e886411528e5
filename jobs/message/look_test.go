package message_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"giftcards/jobs/message"
)

func TestANameWithoutVisibleCharactersCountsAsNone(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	for _, r := range "\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u180b\u180e\u2000\u200b\u200c\u200d\u200e\u202f\u2060\u2064\u206a\u2800\u3000\u3164\ufe00\ufe0f\ufeff\uffa0\U0001d159\U0001d173\U000e0001\U000e0041\U000e0100\U000e0fff" {
		g := gift()
		g.Sender, g.Recipient, g.Note = string(r), strings.Repeat(string(r), 3)+" ", " "+string(r)+"\n"+string(r)
		content := compose(t, templates, g)
		if content.Subject != "Your gift card from Blackwood Books" || strings.Contains(content.Text, ">") || !strings.HasPrefix(content.Text, "Here is") || !strings.Contains(content.HTML, "For you") {
			t.Errorf("U+%04X: subject %q, text\n%s", r, content.Subject, content.Text)
		}
	}
	for _, name := range []string{"❤️", "\u200eAda", "ㅤAda", "नि", "\u0600"} {
		g := gift()
		g.Sender = name
		if content := compose(t, templates, g); !strings.Contains(content.Subject, name) {
			t.Errorf("%q is gone: %q", name, content.Subject)
		}
	}
}

// TestNoTextOfAGiftMakesTheMailWiderThanItsWindow: every text of a card or an operator can break into
// lines, and an amount can break between its digits.
func TestNoTextOfAGiftMakesTheMailWiderThanItsWindow(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	for i, value := range []string{"0.01", "10000.00", "5000." + strings.Repeat("0", 99) + "1", "0.02"} {
		g := gift()
		g.Kind = message.Kinds[i]
		g.Value, g.ExpiresAt = value, g.Now.Add(time.Hour)
		root, err := html.Parse(strings.NewReader(compose(t, templates, g).HTML))
		if err != nil {
			t.Fatal(err)
		}
		styles := map[string]string{}
		for node := range root.Descendants() {
			if node.Type == html.TextNode && node.Parent.Data != "style" {
				for up := node.Parent; up != nil; up = up.Parent {
					for _, a := range up.Attr {
						if a.Key == "style" {
							styles[node.Data] += a.Val
						}
					}
				}
			}
		}
		for text, style := range styles {
			if strings.Contains(style, "white-space:nowrap") && text != "Gift card" {
				t.Errorf("%q does not break: %s", text, style)
			}
		}
		texts := []string{value, g.Merchant, g.Recipient}
		if g.Kind == "card" {
			texts = append(texts, g.Sender)
		}
		for _, text := range texts {
			if !strings.Contains(styles[text], "overflow-wrap:anywhere") {
				t.Errorf("%q does not break within a word: %q", text, styles[text])
			}
		}
	}
}
