// Package email judges and normalises e-mail addresses as Python's email-validator 2.3 does
// through Pydantic's EmailStr, and refuses them with the same sentences. It judges syntax,
// internationalised domains, special domains and lengths, and does not ask DNS. It refuses
// display names and white space around an address, which Pydantic would drop.
//
// It knows no HTTP and no JSON.
package email

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxInput is Pydantic's limit of a text in code points. maxAddress limits the address in it.
const maxInput = 2048

// fault is the reason to refuse an address.
type fault string

func (f fault) Error() string { return string(f) }

func faultf(format string, args ...any) error { return fault(fmt.Sprintf(format, args...)) }

// Normalize returns the normal form of an address. The domain is in lower case and in
// Unicode. The local part is in Unicode's form C, and in lower case only if it is one of
// the few role names that are case-insensitive. If the address is refused, reason is the
// sentence that says why, and never empty.
func Normalize(address string) (normalized, reason string) {
	if normalized, ok := plain(address); ok {
		return normalized, ""
	}
	if utf8.RuneCountInString(address) > maxInput {
		return "", fmt.Sprintf("Length must not exceed %d characters", maxInput)
	}
	// Pydantic takes the address out of the brackets after a display name and strips white
	// space. A fault of this inner address is reported first. If there is none, the whole text
	// must still be an address.
	inner := address
	if match := withName.FindStringSubmatch(address); match != nil {
		inner = match[3]
	}
	if inner = strings.TrimFunc(inner, isSpace); inner != address {
		if _, err := normalize(inner); err != nil {
			return "", err.Error()
		}
	}
	normalized, err := normalize(address)
	if err != nil {
		return "", err.Error()
	}
	return normalized, ""
}

// NotUnicode returns the reason to refuse a text that contains half a surrogate pair, which
// Unicode does not allow. In text, U+FFFD stands for each such half.
func NotUnicode(text string) string {
	if _, reason := Normalize(text); reason != "" {
		return reason
	}
	return "The email address contains an invalid character."
}

// withName is Pydantic's pattern for an address in angle brackets with or without
// a display name before them.
var withName = regexp.MustCompile(`^(?s:` + space + `*(?:((?:` + word + `+` + space + `+)*` + word + `+)|"(.+)")?` + space + `*)<(.+)>` + space + `*$`)

const (
	space = `[\s\v\x1C-\x1F\x{85}\p{Z}]`
	word  = "[\\p{L}\\p{N}_!#$%&'*+\\-/=?^`{|}~]"
)

func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F }

// plain is a fast Normalize for addresses in plain ASCII. It reports false for any other
// address, right or wrong.
func plain(address string) (string, bool) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || len(address) > maxAddress || !isDotAtom(local) || !isPlainDomain(domain) {
		return "", false
	}
	lower := strings.ToLower(domain)
	if isSpecial(lower) {
		return "", false
	}
	if role := strings.ToLower(local); role != local && isRole(role) {
		return role + "@" + lower, true
	}
	if lower == domain {
		return address, true
	}
	return local + "@" + lower, true
}

// isPlainDomain reports whether a domain is ASCII and valid, and has no label with hyphens in
// its third and fourth place.
func isPlainDomain(domain string) bool {
	labels := 0
	for rest, more := domain, true; more; labels++ {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		if !isHostLabel(label) || len(label) > maxLabel || len(label) > 3 && label[2:4] == "--" {
			return false
		}
	}
	return labels > 1 && len(domain) <= maxDomain && isLetter(domain[len(domain)-1])
}

// normalize is email-validator's validate_email.
func normalize(address string) (string, error) {
	parts, err := split(address)
	if err != nil {
		return "", err
	}
	local, err := normalizeLocal(parts.local, parts.quoted)
	if err != nil {
		return "", err
	}
	// A fault of the local part comes before any fault of the domain.
	if parts.domain == "" {
		return "", fault("There must be something after the @-sign.")
	}
	if strings.HasPrefix(parts.domain, "[") && strings.HasSuffix(parts.domain, "]") && len(parts.domain) > 1 {
		if err := checkLiteral(parts.domain[1 : len(parts.domain)-1]); err != nil {
			return "", err
		}
		return "", fault("A bracketed IP address after the @-sign is not allowed here.")
	}
	domain, ascii, err := normalizeDomain(parts.domain)
	if err != nil {
		return "", err
	}
	normalized := local + "@" + domain
	if err := checkLength(parts.local+"@"+parts.domain, normalized, local+"@"+ascii); err != nil {
		return "", err
	}
	// This check is the last, because a fault of the address is reported before its display name.
	if parts.named {
		return "", fault("A display name and angle brackets around the email address are not permitted here.")
	}
	return normalized, nil
}

// normalizeLocal judges the part before the @-sign and returns its normal form.
func normalizeLocal(local string, quoted bool) (string, error) {
	if err := checkLocal(local, quoted); err != nil {
		return "", err
	}
	// Form C can make a character that is not allowed, so the normal form is judged again.
	if normal := nfc(local); normal != local {
		if err := checkLocal(normal, quoted); err != nil {
			return "", faultf("After Unicode normalization: %s", err)
		}
		local = normal
	}
	// This follows the checks, because a fault inside the quotes is reported first.
	if quoted {
		return "", fault("Quoting the part before the @-sign is not allowed here.")
	}
	if role := strings.ToLower(local); isRole(role) && isDotAtom(local) {
		return role, nil
	}
	return local, nil
}

// isRole reports whether RFC 2142 makes a local part case-insensitive.
func isRole(local string) bool {
	return slices.Contains([]string{
		"info", "marketing", "sales", "support", "abuse", "noc", "security", "postmaster",
		"hostmaster", "usenet", "news", "webmaster", "www", "uucp", "ftp",
	}, local)
}

// isSpecial reports whether IANA reserves the top-level domain of a domain for special use.
func isSpecial(domain string) bool {
	last := domain[strings.LastIndexByte(domain, '.')+1:]
	return slices.Contains([]string{"arpa", "invalid", "local", "localhost", "onion", "test"}, last)
}
