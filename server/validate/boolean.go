package validate

import (
	"math"
	"strconv"
	"strings"
)

func (s *schema) checkBoolean(t *tape, i uint32) *ErrorDetail {
	n := &t.nodes[i]
	switch n.kind {
	case kindTrue, kindFalse:
		return nil
	case kindString, kindEscaped, kindText:
		text, err := wholeText(t, i)
		if err != nil {
			return err
		}
		value, ok := pydanticBool(text)
		if !ok {
			return boolParsing()
		}
		if n.kind == kindText { // a parameter is always a text; in JSON a text is no boolean
			t.setText(i, strconv.FormatBool(value))
			return nil
		}
	case kindInt:
		if value, fits := parseInt(t.source(i)); fits && value != 0 && value != 1 {
			return boolParsing()
		}
	case kindFloat:
		// Pydantic tries a float as a boolean only if it is a whole number of 64 bits.
		f, _ := strconv.ParseFloat(t.source(i), 64)
		if f == math.Trunc(f) && fitsInt64(f) && f != 0 && f != 1 {
			return boolParsing()
		}
	}
	return fault("bool_type", "Input should be a valid boolean")
}

func boolParsing() *ErrorDetail {
	return fault("bool_parsing", "Input should be a valid boolean, unable to interpret input")
}

// pydanticBool reads the words that Pydantic's lax mode takes for a boolean.
func pydanticBool(word string) (value, ok bool) {
	switch strings.ToLower(word) {
	case "0", "f", "n", "no", "off", "false":
		return false, true
	case "1", "t", "y", "on", "yes", "true":
		return true, true
	}
	return false, false
}

// isTrue returns the value of a validated boolean.
func isTrue(t *tape, i uint32) bool {
	return t.nodes[i].kind == kindTrue || t.nodes[i].kind == kindText && t.string(i) == "true"
}
