package message_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"giftcards/jobs/message"
)

// unset are gifts of programs without settings.
func unset() map[string]message.Gift {
	gifts := map[string]message.Gift{}
	for _, kind := range message.Kinds {
		g := gift()
		g.Kind = kind
		gifts[kind] = g
	}
	bare := gift()
	bare.Sender, bare.Recipient, bare.Note = "", "", ""
	gifts["bare"] = bare
	odd := gift()
	odd.Merchant, odd.Sender, odd.Recipient = `Tom & "Jerry" <3 + 'Co'`, "שירה & <b>"+strings.Repeat(" Łukasz", 12), "A+B é"
	odd.Value, odd.ExpiresAt, odd.Note = "5000.0050000000001", odd.Now.Add(time.Hour), "<i> מזל טוב\n\n1 + 1 = \"2\""
	odd.Zone = time.FixedZone("", 3600)
	gifts["odd"] = odd
	return gifts
}

// forTheTill is the line with the image of the number.
var forTheTill = regexp.MustCompile(`<p [^>]*><img src="cid:[^>]*></p>\n`)

// wholly returns all parts of a message in one text, without the image of the number.
func wholly(c message.Content) string {
	return strings.Join([]string{c.From, c.Subject, c.Text, c.SMS, forTheTill.ReplaceAllString(c.HTML, "")}, "\n--------\n")
}

// TestAProgramWithoutSettingsGetsTheMessagesOfOlderVersions, byte for byte except for the image. A
// version without settings and images has written the files.
func TestAProgramWithoutSettingsGetsTheMessagesOfOlderVersions(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	for name, g := range unset() {
		want, err := os.ReadFile(filepath.Join("testdata", "unset", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		got := wholly(compose(t, templates, g))
		if got != string(want) {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			t.Errorf("%s differs at byte %d: %q, want %q", name, at, got[max(0, at-40):min(len(got), at+40)], want[max(0, at-40):min(len(want), at+40)])
		}
	}
}
