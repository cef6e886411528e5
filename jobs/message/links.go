package message

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
	"mvdan.cc/xurls/v2"
)

// joins reports whether some program may take the text around the code point at i for an
// address: a dot in a host's name, the @ of a mail address, the colon of a scheme, or the
// backslash of a share. It ignores the ignorable characters, as programs do.
func joins(typed []rune, i int) bool {
	rest, before := visible(typed[i+1:]), ' '
	if len(rest) == 0 {
		return false
	}
	// The character before the mark counts even if ignorable ones stand between.
	for _, r := range slices.Backward(typed[:i]) {
		if !ignorable(r) {
			before = r
			break
		}
	}
	after := rest[0]
	switch {
	case isDot(typed[i]) && isDigit(after) && isDigit(before):
		return inIPAddress(typed, i, isDigit)
	case isDot(typed[i]):
		return inName(before) && (startsTopLevelDomain(rest) || inName(after) && slices.Contains([]string{"www", "ftp"}, wordBefore(typed[:i])))
	case typed[i] == ':':
		return joinsColon(typed, i, before, rest)
	case strings.ContainsRune("@＠﹫", typed[i]):
		return !unicode.IsSpace(before) && (after == '[' || startsHost(rest))
	case strings.ContainsRune(`\＼`, typed[i]): // \\server\share
		return strings.ContainsRune(`\＼`, before) && (unicode.IsLetter(after) || isDigit(after) || strings.ContainsRune("[?.", after))
	}
	return false
}

// joinsColon is joins for a colon, which may belong to a scheme or an IPv6 address.
// Smileys and times of day have colons too, and must stay as typed.
func joinsColon(typed []rune, i int, before rune, rest []rune) bool {
	after, next := rest[0], ' '
	if more := visible(rest[1:]); len(more) > 0 {
		next = more[0]
	}
	switch {
	case unicode.IsSpace(typed[i+1]) || after == ')': // punctuation or a smiley
		return false
	case after == ':' && (isHex(before) || isHex(next)): // IPv6, shortened by ::
		return true
	case isSlash(after) && isSlash(next): // scheme://
		return inName(before)
	case isHex(before) && isHex(after) && inIPAddress(typed, i, isHex):
		return true
	}
	word := wordBefore(typed[:i])
	return schemes[word] || slices.ContainsFunc(xurls.SchemesNoAuthority, func(scheme string) bool { return strings.HasSuffix(word, scheme) })
}

// visible returns a text without the ignorable characters at its beginning.
func visible(text []rune) []rune {
	for len(text) > 0 && ignorable(text[0]) {
		text = text[1:]
	}
	return text
}

// inName reports whether a character may stand beside a dot in a host's name.
func inName(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsPunct(r) || r == '-' || r == '_'
}

// isDot reports whether a character is a full stop, or one that IDNA treats as a dot.
func isDot(r rune) bool { return strings.ContainsRune(".。．｡․", r) }

func isSlash(r rune) bool { return r == '/' || r == '\\' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isHex(r rune) bool { return isDigit(r) || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F' }

// wordBefore returns the last word of a text, folded.
func wordBefore(text []rune) string {
	start := len(text)
	for start > 0 && len(text)-start < longestLabel && (ignorable(text[start-1]) || unicode.IsLetter(text[start-1]) || isDigit(text[start-1]) || text[start-1] == '-') {
		start--
	}
	return folded(text[start:])
}

// longestLabel is the longest part between two dots of a host's name, in code points.
const longestLabel = 63

// folded returns a text in the form in which programs compare names: without ignorable
// characters, in lower case, and with compatibility characters (such as fullwidth ones) in
// their common form.
func folded(text []rune) string { return norm.NFKC.String(strings.ToLower(seen(text))) }

// seen returns a text without its ignorable characters.
func seen(text []rune) string {
	return strings.Map(func(r rune) rune {
		if ignorable(r) {
			return -1
		}
		return r
	}, string(text))
}

// startsHost reports whether a text begins with the name of a host that has a
// top-level domain, or with localhost.
func startsHost(text []rune) bool {
	for i, r := range text {
		// A top-level domain after any of the dots is enough.
		if isDot(r) && startsTopLevelDomain(text[i+1:]) {
			return true
		}
		if !isDot(r) && !inName(r) && !ignorable(r) {
			break
		}
	}
	return strings.HasPrefix(folded(text[:min(len(text), longestLabel)]), "localhost")
}

// startsTopLevelDomain reports whether the first word of a text is a top-level domain. In
// scripts without spaces the beginning of the word is enough. Programs fold a word in
// different ways, so that it is tried as typed, folded, and folded without marks.
func startsTopLevelDomain(text []rune) bool {
	end := 0
	for end < min(len(text), longestLabel) && (ignorable(text[end]) || unicode.IsLetter(text[end]) || unicode.IsMark(text[end]) || unicode.IsNumber(text[end]) || text[end] == '-') {
		end++
	}
	unmarked := strings.Map(func(r rune) rune {
		if unicode.IsMark(r) {
			return -1
		}
		return r
	}, norm.NFKD.String(folded(text[:end])))
	return isTopLevel(seen(text[:end])) || isTopLevel(folded(text[:end])) || isTopLevel(unmarked)
}

// isTopLevel is startsTopLevelDomain for one spelling of the first word.
func isTopLevel(word string) bool {
	// Only ASCII is lowered: ToLower would make a k of the Kelvin sign.
	word = strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, word)
	if strings.HasPrefix(word, "xn--") {
		return true
	}
	// For some programs a word of ASCII ends before the first letter beyond ASCII.
	first := word
	if end := strings.IndexFunc(word, func(r rune) bool { return r > unicode.MaxASCII || r == '-' }); end >= 0 {
		first = word[:end]
	}
	// The public suffix list has newer domains. Only topLevel has names such as local.
	if _, listed := publicsuffix.PublicSuffix(first); topLevel[first] || first != "" && listed {
		return true
	}
	for i := range word {
		if i > len(first) && topLevel[word[:i]] {
			return true
		}
	}
	return topLevel[word]
}

// topLevel holds the top-level domains by which programs recognise addresses, and schemes holds
// the schemes.
var (
	topLevel = set(xurls.TLDs, xurls.PseudoTLDs, []string{"onion"})
	schemes  = set(xurls.Schemes, xurls.SchemesUnofficial, []string{"javascript", "vbscript"})
)

func set(lists ...[]string) map[string]bool {
	all := map[string]bool{}
	for _, word := range slices.Concat(lists...) {
		all[word] = true
	}
	return all
}

// inIPAddress reports whether the mark at i is one of at least three between digits.
// Prices, dates and times have at most two.
func inIPAddress(typed []rune, i int, digit func(rune) bool) bool {
	first, last, marks := i, i, 0
	within := func(r rune) bool { return digit(r) || r == typed[i] || ignorable(r) }
	for first > 0 && within(typed[first-1]) {
		first--
	}
	for last+1 < len(typed) && within(typed[last+1]) {
		last++
	}
	// Count the marks within the run of digits and marks around i.
	for _, r := range typed[first : last+1] {
		if r == typed[i] {
			marks++
		}
	}
	return marks >= 3
}
