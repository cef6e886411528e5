package message_test

import (
	"strings"
	"testing"

	"giftcards/store/text"
)

// TestWordsInBracketsShowAsTheyAreStored in every form of a message. A name is stored as typed, and a
// note as sanitising leaves it.
func TestWordsInBracketsShowAsTheyAreStored(t *testing.T) {
	t.Parallel()
	usual := gift()
	usual.Note = "one line"
	plain, _ := page(t, compose(t, load(t, ""), usual).HTML)
	for _, typed := range []string{
		"5 < 6 && a<b", "x<y>z", "a<b and c>d", "Love, <your friends>", "<Happy Birthday>", "Tom & Jerry <3", "&lt;b&gt; &amp;lt;b",
		"<y onload=alert(1)>",
	} {
		g := gift()
		g.Sender, g.Recipient, g.Note = typed, typed, text.Message(typed)
		content := compose(t, load(t, ""), g)
		elements, seen := page(t, content.HTML)
		if strings.Join(elements, "\n") != strings.Join(plain, "\n") {
			t.Errorf("%q makes %d elements, want %d", typed, len(elements), len(plain))
		}
		for form, shown := range map[string]string{"HTML": seen, "text": content.Text, "SMS": content.SMS} {
			if !strings.Contains(shown, text.Message(typed)) || !strings.Contains(shown, typed+" sent you a gift card") {
				t.Errorf("the %s of %q is\n%s", form, typed, shown)
			}
		}
		if want := typed + " sent you a gift card from Blackwood Books"; content.Subject != want {
			t.Errorf("subject %q, want %q", content.Subject, want)
		}
	}
}
