package validate

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"giftcards/server/validate/email"
)

// typeNotUnicode is the type of the error about a text with half a surrogate pair.
const typeNotUnicode = "string_unicode"

// wholeText returns the text of a string. It refuses a string with an escape for half a
// surrogate pair, because that is no Unicode text and PostgreSQL could not store it.
func wholeText(t *tape, i uint32) (string, *ErrorDetail) {
	n := &t.nodes[i]
	if n.kind != kindEscaped || n.link > 0 {
		return t.string(i), nil
	}
	text, whole := unescape(t.text[n.start+1 : n.end-1])
	if !whole {
		return "", fault(typeNotUnicode, "Input should be a valid string, unable to parse raw data as a unicode string")
	}
	t.setText(i, text)
	return text, nil
}

// anyText returns the text of a string, and refuses other values.
func anyText(t *tape, i uint32) (string, *ErrorDetail) {
	switch t.nodes[i].kind {
	case kindString, kindEscaped, kindText:
		return wholeText(t, i)
	}
	return "", fault("string_type", "Input should be a valid string")
}

func (s *schema) checkText(t *tape, i uint32) *ErrorDetail {
	text, err := anyText(t, i)
	if err != nil {
		return err
	}
	if s.minLength > 0 || s.maxLength >= 0 {
		// A text has at most as many code points as bytes, so they rarely need to be counted.
		length := len(text)
		if s.minLength > 0 || length > s.maxLength {
			length = utf8.RuneCountInString(text)
		}
		switch {
		case s.maxLength >= 0 && length > s.maxLength:
			return TextTooLong(s.maxLength)
		case length < s.minLength:
			return TextTooShort(s.minLength)
		}
	}
	if s.pattern != nil && !s.pattern.MatchString(text) {
		return PatternMismatch(s.pattern.String())
	}
	return nil
}

func (s *schema) checkEnum(t *tape, i uint32) *ErrorDetail {
	text, err := anyText(t, i)
	if err == nil {
		if slices.Contains(s.enum, text) {
			return nil
		}
	}
	rest, last := s.enum[:len(s.enum)-1], s.enum[len(s.enum)-1]
	expected := "'" + last + "'"
	if len(rest) > 0 {
		expected = "'" + strings.Join(rest, "', '") + "' or " + expected
	}
	return &ErrorDetail{Type: s.enumType, Msg: "Input should be " + expected, Ctx: map[string]any{"expected": expected}}
}

// objectIDPattern is the document's pattern of ids. The refusal of an id in capitals quotes
// it.
var objectIDPattern = regexp.MustCompile(`^[0-9a-f]{24}$`)

func (s *schema) checkObjectID(t *tape, i uint32) *ErrorDetail {
	switch t.nodes[i].kind {
	case kindString, kindEscaped, kindText:
		text := t.string(i)
		switch {
		case isHex(text, "0123456789abcdef"):
			return nil
		case isHex(text, "0123456789abcdefABCDEF"):
			return PatternMismatch(objectIDPattern.String())
		}
	case kindNull: // Pydantic has its own error here, because Python would make a new id
		return fault("string_type", "Input should be a valid string")
	}
	return ValueError("Id must be of type PydanticObjectId")
}

func isHex(s, digits string) bool { return len(s) == 24 && strings.Trim(s, digits) == "" }

func (s *schema) checkEmail(t *tape, i uint32) *ErrorDetail {
	text, err := anyText(t, i)
	if err != nil && err.Type == typeNotUnicode {
		return emailFault(email.NotUnicode(t.string(i)))
	}
	if err != nil {
		return err
	}
	normalized, reason := email.Normalize(text)
	if reason != "" {
		return emailFault(reason)
	}
	if normalized != text {
		t.setText(i, normalized)
	}
	return nil
}

func emailFault(reason string) *ErrorDetail {
	return &ErrorDetail{
		Type: "value_error",
		Msg:  "value is not a valid email address: " + reason,
		Ctx:  map[string]any{"reason": reason},
	}
}
