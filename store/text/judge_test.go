package text_test

import (
	"fmt"
	stdhtml "html"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"giftcards/store/text"
)

// checkMessage fails unless Message returns clean and short text for s, and is idempotent.
func checkMessage(t *testing.T, s string) {
	t.Helper()
	message := text.Message(s)
	if !utf8.ValidString(message) || strings.ContainsFunc(message, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t'
	}) {
		t.Fatalf("Message(%q) = %q is not clean text", s, message)
	}
	if utf8.RuneCountInString(message) > max(500, utf8.RuneCountInString(s)) {
		t.Fatalf("Message(%q) = %q is longer", s, message)
	}
	if again := text.Message(message); again != message {
		t.Fatalf("Message(%q) = %q, and of that %q", s, message, again)
	}
	checkInert(t, s, message)
	if plain(s) && message != s {
		t.Fatalf("Message(%q) = %q, but nothing needs removal", s, message)
	}
}

// checkInert fails if a browser would find an element in a message that a page shows
// without escaping it, however often it was decoded before.
func checkInert(t *testing.T, s, message string) {
	t.Helper()
	byNet, byStd := message, message
	for times := range 9 {
		for _, decoded := range slices.Compact([]string{byNet, byStd}) {
			if tag := firstTag(decoded); tag != "" {
				t.Fatalf("Message(%q) = %q, decoded %d times it holds %q", s, message, times, tag)
			}
			if !strings.Contains(decoded, "<") {
				continue
			}
			for _, page := range pages {
				if got, want := shape(page, decoded), emptyPages[page]; got != want {
					t.Fatalf("Message(%q) = %q, decoded %d times in %q it makes %s, want %s", s, message, times, page, got, want)
				}
			}
		}
		nextNet, nextStd := html.UnescapeString(byNet), stdhtml.UnescapeString(byStd)
		if nextNet == byNet && nextStd == byStd {
			return
		}
		byNet, byStd = nextNet, nextStd
	}
}

// pages are pages with a place for a message, which is marked by "%".
var pages = []string{
	"<p>%</p>", "<b title=x>%", "<table><tr><td>%</table>", "<textarea>%</textarea>", "<title>%</title><p>", "<style>%</style><p>",
	"<script>%</script><p>", "<!-- % --><p>", "<svg><text>%</text></svg>", "<math><mtext>%</mtext></math>", "<noscript>%</noscript>",
	"<svg><style>%</style></svg>", "<select><option>%</select>", "<template>%</template>",
}

// emptyPages are the shapes of the pages with a message that has no brackets.
var emptyPages = func() map[string]string {
	shapes := map[string]string{}
	for _, page := range pages {
		shapes[page] = shape(page, "x")
	}
	return shapes
}()

// shape returns the elements of a page around a message, with their attributes.
func shape(page, message string) string {
	document, err := html.Parse(strings.NewReader(strings.Replace(page, "%", message, 1)))
	if err != nil {
		return err.Error()
	}
	var elements strings.Builder
	for node := range document.Descendants() {
		if node.Type == html.ElementNode {
			fmt.Fprint(&elements, node.Data, node.Attr, " ")
		}
	}
	return elements.String()
}

// firstTag returns the first part of s that is not text, even if only the page around s closes
// it.
func firstTag(s string) string {
	if !strings.Contains(s, "<") {
		return ""
	}
	for _, page := range []string{s, s + ">", s + `">`, s + "'>", s + "-->", s + "]]>", s + "</q9>"} {
		tokens := html.NewTokenizer(strings.NewReader(page))
		for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
			if token := tokens.Token(); kind != html.TextToken && token.Data != "q9" {
				return token.String()
			}
		}
	}
	return ""
}

// plain reports whether s can hold neither markup, nor entities, nor control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsAny(s, "<&") && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t'
	})
}
