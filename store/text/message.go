package text

import (
	"strings"

	"golang.org/x/net/html"
)

// maxRounds bounds the work on one message. A person's text needs one or two
// rounds; one that needs more than this was made to hide something.
const maxRounds = 16

// Message returns a recipient's message made safe against XSS, as the contract
// asks of customMessage: without markup, the content of script and style
// elements, and control characters other than newline and tab, however often
// its entities are decoded afterwards. A text with nothing of that is returned
// as typed, its entities too. A tag that is never closed loses its "<" only.
// The result is valid UTF-8, never more code points than s, and Message of it
// is the same again.
func Message(s string) string {
	s = paragraphs(s)
	seen := s // s, decoded so many times
	for range maxRounds {
		if cleaned := paragraphs(withoutMarkup(seen)); cleaned != seen {
			s, seen = cleaned, cleaned
			continue
		}
		decoded := html.UnescapeString(seen)
		if decoded == seen {
			return s
		}
		seen = decoded
	}
	return strings.NewReplacer("<", "", "&", "").Replace(s)
}

// withoutMarkup removes the markup of s as it stands, entities undecoded. What
// is left can be markup again, as of "<<b>i>".
func withoutMarkup(s string) string {
	if !strings.Contains(s, "<") {
		return s
	}
	var kept strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(s))
	for inScript := false; ; {
		kind := tokens.Next()
		raw := string(tokens.Raw()) // before TagName, which changes it
		switch {
		case kind == html.ErrorToken:
			kept.WriteString(withoutOpenings(raw))
			return kept.String()
		case kind == html.TextToken && inScript:
			inScript = false
		case kind == html.TextToken || !strings.HasSuffix(raw, ">"):
			kept.WriteString(withoutOpenings(raw))
		default:
			name, _ := tokens.TagName()
			inScript = kind != html.EndTagToken && (string(name) == "script" || string(name) == "style")
			if !inScript {
				tokens.NextIsNotRawText() // tags inside a title or a textarea are tags to us
			}
		}
	}
}

// withoutOpenings removes each "<" of s that begins a tag, a comment or the
// like which s does not close: the page around the message would.
func withoutOpenings(s string) string {
	var kept strings.Builder
	for i := range len(s) {
		if s[i] == '<' && i+1 < len(s) && opensMarkup(s[i+1]) {
			continue
		}
		kept.WriteByte(s[i])
	}
	return kept.String()
}

// opensMarkup reports whether a "<" before c begins a tag, a comment or the like.
func opensMarkup(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '/' || c == '!' || c == '?'
}
