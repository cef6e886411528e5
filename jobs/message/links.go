package message

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
	"mvdan.cc/xurls/v2"
)

// joins reports whether the code point at i makes an address of what stands before
// and after it, in the eyes of some program. Ignorable characters are looked through.
func joins(typed []rune, i int) bool {
	rest, before := visible(typed[i+1:]), ' '
	if len(rest) == 0 {
		return false
	}
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

// joinsColon is joins for a colon: of a scheme or of an IPv6 address. Smileys and
// times of day have colons, too.
func joinsColon(typed []rune, i int, before rune, rest []rune) bool {
	after, next := rest[0], ' '
	if more := visible(rest[1:]); len(more) > 0 {
		next = more[0]
	}
	switch {
	case unicode.IsSpace(typed[i+1]) || after == ')':
		return false
	case after == ':' && (isHex(before) || isHex(next)):
		return true
	case isSlash(after) && isSlash(next):
		return inName(before)
	case isHex(before) && isHex(after) && inIPAddress(typed, i, isHex):
		return true
	}
	word := wordBefore(typed[:i])
	return schemes[word] || slices.ContainsFunc(xurls.SchemesNoAuthority, func(scheme string) bool { return strings.HasSuffix(word, scheme) })
}

// visible leaves out the ignorable characters that a text begins with.
func visible(text []rune) []rune {
	for len(text) > 0 && ignorable(text[0]) {
		text = text[1:]
	}
	return text
}

// inName reports what may stand beside a dot in the name of a host.
func inName(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsPunct(r) || r == '-' || r == '_'
}

// isDot reports full stops, also those that are dots to programs which look up hosts.
func isDot(r rune) bool { return strings.ContainsRune(".。．｡․", r) }

func isSlash(r rune) bool { return r == '/' || r == '\\' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isHex(r rune) bool { return isDigit(r) || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F' }

// wordBefore is the last word of a text, folded.
func wordBefore(text []rune) string {
	start := len(text)
	for start > 0 && len(text)-start < longestLabel && (ignorable(text[start-1]) || unicode.IsLetter(text[start-1]) || isDigit(text[start-1]) || text[start-1] == '-') {
		start--
	}
	return folded(text[start:])
}

// longestLabel is what a part of a host's name has at most, in code points.
const longestLabel = 63

// folded is a text as programs compare names: without ignorable characters, in lower
// case, and with fullwidth characters and the like in their common form.
func folded(text []rune) string { return norm.NFKC.String(strings.ToLower(seen(text))) }

// seen is a text without its ignorable characters.
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
		if isDot(r) && startsTopLevelDomain(text[i+1:]) {
			return true
		}
		if !isDot(r) && !inName(r) && !ignorable(r) {
			break
		}
	}
	return strings.HasPrefix(folded(text[:min(len(text), longestLabel)]), "localhost")
}

// startsTopLevelDomain reports whether a text begins with a top-level domain: its
// first word, or in scripts where programs see no end of a word, the beginning of it.
// Programs differ in what they fold first: the word is tried as it stands, folded, and
// folded without combining marks.
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
	word = strings.Map(func(r rune) rune { // letters such as the Kelvin sign stay what they are
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, word)
	if strings.HasPrefix(word, "xn--") {
		return true
	}
	// A letter beyond ASCII ends a word of ASCII, to some programs.
	first := word
	if end := strings.IndexFunc(word, func(r rune) bool { return r > unicode.MaxASCII || r == '-' }); end >= 0 {
		first = word[:end]
	}
	// The public suffix list is the younger one; it has no names such as local.
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

// topLevel are the domains that programs know the end of a host's name by, schemes
// the words that they know an address by.
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

// inIPAddress reports whether the mark at i, between digits, is one of three or
// more: prices, dates and times have two.
func inIPAddress(typed []rune, i int, digit func(rune) bool) bool {
	first, last, marks := i, i, 0
	within := func(r rune) bool { return digit(r) || r == typed[i] || ignorable(r) }
	for first > 0 && within(typed[first-1]) {
		first--
	}
	for last+1 < len(typed) && within(typed[last+1]) {
		last++
	}
	for _, r := range typed[first : last+1] {
		if r == typed[i] {
			marks++
		}
	}
	return marks >= 3
}
