package email

import (
	"fmt"
	"strconv"
	"strings"
)

// checkLiteral judges an IP address in brackets, and returns the reason if it is malformed. The
// caller refuses well-formed ones. The sentences in parentheses are those of Python's
// ipaddress.
func checkLiteral(literal string) error {
	// Each kind of fault has its sentence, and the form of the text decides the kind.
	if literal != "" && strings.Trim(literal, "0123456789.") == "" {
		if err := checkIPv4(literal); err != nil {
			return faultf("The address in brackets after the @-sign is not valid: It is not an IPv4 address (%s) or is missing an address literal tag.", err)
		}
		return nil
	}
	if ip, ok := strings.CutPrefix(literal, "IPv6:"); ok {
		if err := checkIPv6(ip); err != nil {
			return faultf("The IPv6 address in brackets after the @-sign is not valid (%s).", err)
		}
		return nil
	}
	if !strings.Contains(literal, ":") {
		return fault("The part after the @-sign in brackets is not an IPv4 address and has no address literal tag.")
	}
	if bad := displayed(literal, func(c rune) bool { return '!' <= c && c <= 0xFA }); bad != "" {
		return fault("The part after the @-sign contains invalid characters in brackets: " + bad + ".")
	}
	return fault("The part after the @-sign contains an invalid address literal tag in brackets.")
}

func checkIPv4(ip string) error {
	octets := strings.Split(ip, ".")
	if len(octets) != 4 {
		return faultf("Expected 4 octets in %s", repr(ip))
	}
	for _, octet := range octets {
		if err := checkOctet(octet); err != nil {
			return faultf("%s in %s", err, repr(ip))
		}
	}
	return nil
}

func checkOctet(octet string) error {
	switch {
	case octet == "":
		return fault("Empty octet not permitted")
	case strings.Trim(octet, "0123456789") != "":
		return faultf("Only decimal digits permitted in %s", repr(octet))
	case len(octet) > 3:
		return faultf("At most 3 characters permitted in %s", repr(octet))
	case octet != "0" && octet[0] == '0':
		return faultf("Leading zeros are not permitted in %s", repr(octet))
	}
	if n, err := strconv.Atoi(octet); err != nil || n > 255 {
		return faultf("Octet %d (> 255) not permitted", n)
	}
	return nil
}

func checkIPv6(ip string) error {
	address, scope, scoped := strings.Cut(ip, "%")
	switch {
	case strings.Contains(ip, "/"):
		return faultf("Unexpected '/' in %s", repr(ip))
	case scoped && (scope == "" || strings.Contains(scope, "%")):
		return faultf(`Invalid IPv6 address: "%s"`, repr(ip))
	case address == "":
		return fault("Address cannot be empty")
	}
	parts := strings.Split(address, ":")
	if len(parts) < 3 {
		return faultf("At least 3 parts expected in %s", repr(address))
	}
	if last := parts[len(parts)-1]; strings.Contains(last, ".") {
		if err := checkIPv4(last); err != nil {
			return faultf("%s in %s", err, repr(address))
		}
		parts = append(parts[:len(parts)-1], "0", "0") // an IPv4 address takes the place of two groups
	}
	if len(parts) > 9 {
		return faultf("At most 8 colons permitted in %s", repr(address))
	}
	if err := checkGroups(parts, address); err != nil {
		return err
	}
	for _, part := range parts {
		if err := checkHextet(part); err != nil {
			return faultf("%s in %s", err, repr(address))
		}
	}
	return nil
}

// checkGroups judges the number of groups, and the place of "::".
func checkGroups(parts []string, address string) error {
	// An empty part inside means "::". One at either end is half of a "::" there.
	skipped := 0
	for _, part := range parts[1 : len(parts)-1] {
		if part == "" {
			skipped++
		}
	}
	first, last := parts[0] == "", parts[len(parts)-1] == ""
	switch {
	case skipped > 1:
		return faultf("At most one '::' permitted in %s", repr(address))
	case skipped == 0 && len(parts) != 8:
		return faultf("Exactly 8 parts expected without '::' in %s", repr(address))
	case first && (skipped == 0 || parts[1] != ""):
		return faultf("Leading ':' only permitted as part of '::' in %s", repr(address))
	case last && (skipped == 0 || parts[len(parts)-2] != ""):
		return faultf("Trailing ':' only permitted as part of '::' in %s", repr(address))
	case skipped == 1 && groups(parts, first, last) > 7:
		return fault(fmt.Sprintf("Expected at most 7 other parts with '::' in %s", repr(address)))
	}
	return nil
}

// groups counts the groups beside "::".
func groups(parts []string, first, last bool) int {
	count := len(parts) - 1
	if first {
		count--
	}
	if last {
		count--
	}
	return count
}

func checkHextet(part string) error {
	if strings.Trim(part, "0123456789abcdefABCDEF") != "" {
		return faultf("Only hex digits permitted in %s", repr(part))
	}
	if len(part) > 4 {
		return faultf("At most 4 characters permitted in %s", repr(part))
	}
	return nil
}
