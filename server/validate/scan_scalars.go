package validate

import (
	"strings"
)

func (s *scanner) word(i int, word string, k kind) int {
	if !strings.HasPrefix(s.text[i:], word) {
		return s.fail(i, "Expecting value")
	}
	s.add(k, i, i+len(word))
	return i + len(word)
}

func (s *scanner) number(start int) int {
	i, k := start, kindInt
	if s.text[i] == '-' {
		i++
	}
	switch first := s.digits(i); {
	case first == i:
		return s.fail(start, "Expecting value")
	case s.text[i] == '0':
		i++ // JSON has no leading zeros, so a further digit is not part of the number
	default:
		i = first
	}
	if i < len(s.text) && s.text[i] == '.' {
		if end := s.digits(i + 1); end > i+1 {
			i, k = end, kindFloat
		}
	}
	if i < len(s.text) && s.text[i]|0x20 == 'e' {
		exponent := i + 1
		if exponent < len(s.text) && (s.text[exponent] == '+' || s.text[exponent] == '-') {
			exponent++
		}
		if end := s.digits(exponent); end > exponent {
			i, k = end, kindFloat
		}
	}
	s.add(k, start, i)
	return i
}

// digits returns the position after the digits at i.
func (s *scanner) digits(i int) int {
	for i < len(s.text) && '0' <= s.text[i] && s.text[i] <= '9' {
		i++
	}
	return i
}

func (s *scanner) string(start int) int {
	k := kindString
	for i := start + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.add(k, start, i+1)
			return i + 1
		case c == '\\':
			// Only such a string must be decoded later. Any other is a part of the text as it is.
			k = kindEscaped
			if i = s.escape(start, i); s.reason != "" {
				return i
			}
		case c < ' ':
			return s.fail(i, "Invalid control character at")
		}
	}
	return s.fail(start, "Unterminated string starting at")
}

// escape checks the escape at i and returns the position of its last byte.
func (s *scanner) escape(start, i int) int {
	if i+1 >= len(s.text) {
		return s.fail(start, "Unterminated string starting at")
	}
	c := s.text[i+1]
	if c != 'u' {
		if unescaped[c] == 0 {
			return s.fail(i, `Invalid \escape`)
		}
		return i + 1
	}
	// Python fails in this way too if nothing follows the four digits.
	if i+6 >= len(s.text) {
		return s.fail(i+1, `Invalid \uXXXX escape`)
	}
	for _, digit := range []byte(s.text[i+2 : i+6]) {
		if hexDigit[digit] == 0 {
			return s.fail(i+1, `Invalid \uXXXX escape`)
		}
	}
	return i + 5
}
