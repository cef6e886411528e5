package text

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// maxRounds bounds the work on one message. A person's text needs one or two rounds. A text
// that needs more than this was made to hide something.
const maxRounds = 16

// messageLength is how long a message may be, in code points. A space that breaks up an opening
// must not make it longer.
const messageLength = 500

// Message returns a recipient's message made safe against XSS, as the contract asks of
// customMessage. It removes the tags of elements, comments and the like, the content of script
// and style elements, and control characters other than newline and tab. Everything else stays
// as typed. A "<" that a browser would still take for the beginning of a tag, as in "<your
// friends>", gets a space after it. If entities hide such a "<", Message decodes them first. So
// the result holds no tag, however often it is decoded.
//
// The result is valid UTF-8. It has at most 500 code points, or as many as s if s is longer. If
// there is no room for a space, Message removes the "<". Message of the result is the result.
func Message(s string) string {
	s = withoutOpenings(withoutMarkup(paragraphs(s)))
	seen := s // s, decoded once more in each round
	for range maxRounds {
		decoded := html.UnescapeString(seen)
		if decoded == seen {
			return s
		}
		seen = decoded
		if safe := withoutOpenings(paragraphs(decoded)); safe != decoded {
			s, seen = safe, safe
		}
	}
	return strings.NewReplacer("<", "", "&", "").Replace(s)
}

// withoutMarkup removes the markup of s without decoding entities. The rest can be markup again,
// as with "<<b>i>". withoutOpenings handles that.
func withoutMarkup(s string) string {
	if !strings.Contains(s, "<") {
		return s
	}
	var kept strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 || strings.IndexByte(s[i:], '>') < 0 {
			kept.WriteString(s)
			return kept.String()
		}
		kept.WriteString(s[:i])
		length := markup(s[i:])
		if length == 0 { // look for markup right after it
			kept.WriteByte('<')
			length = 1
		}
		s = s[i+length:]
	}
}

// markup returns the length of the markup at the beginning of s, which begins with "<". A script
// or a style includes its content. It is 0 if s begins with text.
func markup(s string) int {
	switch {
	case !opens(s):
		return 0
	case strings.HasPrefix(s, "<!--"), strings.HasPrefix(s, "<![CDATA["), strings.HasPrefix(strings.ToLower(s[:min(len(s), 9)]), "<!doctype"),
		s[1] == '?' && len(s) > 2 && letter(s[2]):
		return parsed(s, false)
	}
	tag := strings.TrimPrefix(s[1:], "/")
	end := strings.IndexAny(tag, " \t\n/>")
	if end < 1 || !letter(tag[0]) {
		return 0
	}
	name := strings.ToLower(tag[:end])
	if !isElement(name) {
		return 0
	}
	script := (name == "script" || name == "style") && s[1] != '/'
	attributes := tag[end:]
	stop := strings.IndexAny(attributes, "<>=")
	switch {
	case stop < 0 || attributes[stop] == '<':
		return 0
	case attributes[stop] == '=': // there may be a ">" in a value
		return parsed(s, script)
	}
	// Words that only look like a tag, as in "a<b and c>d", are text.
	if names := strings.FieldsFunc(attributes[:stop], betweenAttributes); len(names) > 0 && !slices.ContainsFunc(names, isFlag) {
		return 0
	}
	if script {
		return parsed(s, script)
	}
	return len(s) - len(attributes) + stop + len(">")
}

// parsed returns the length of the first token in s, or 0 if the token is never closed. If the
// token begins a script, the length includes the text after it.
func parsed(s string, script bool) int {
	tokens := html.NewTokenizer(strings.NewReader(s))
	kind := tokens.Next()
	if kind == html.ErrorToken || !bytes.HasSuffix(tokens.Raw(), []byte(">")) {
		return 0
	}
	length := len(tokens.Raw())
	if script && tokens.Next() == html.TextToken {
		length += len(tokens.Raw())
	}
	return length
}

func betweenAttributes(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '/' }

// withoutOpenings puts a space after each "<" of s that opens a tag, a comment or
// the like, or removes it if that would make s too long.
func withoutOpenings(s string) string {
	openings := 0
	// Bytes are enough, because a "<" and the character that makes it an opening are ASCII.
	for i := range len(s) {
		if opens(s[i:]) {
			openings++
		}
	}
	switch {
	case openings == 0:
		return s
	case utf8.RuneCountInString(s)+openings > messageLength:
		return withoutOpeningBrackets(s)
	}
	var kept strings.Builder
	for i := range len(s) {
		kept.WriteByte(s[i])
		if opens(s[i:]) {
			kept.WriteByte(' ')
		}
	}
	return kept.String()
}

// withoutOpeningBrackets removes each "<" that opens something. It goes from the end, because it
// must not make "<b" of "<<b".
func withoutOpeningBrackets(s string) string {
	kept := []byte(s)
	first := len(kept)
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '<' && first < len(kept) && opensBefore(kept[first]) {
			continue
		}
		first--
		kept[first] = s[i]
	}
	return string(kept[first:])
}

// opens reports whether s begins with a "<" that a browser takes for the beginning
// of a tag, a comment or the like.
func opens(s string) bool { return len(s) > 1 && s[0] == '<' && opensBefore(s[1]) }

func opensBefore(c byte) bool { return letter(c) || c == '/' || c == '!' || c == '?' }

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
