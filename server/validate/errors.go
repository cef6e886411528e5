package validate

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

const (
	maxErrors = 1000      // errors listed in one answer
	maxInput  = 64 * 1024 // bytes of JSON echoed as an error's input
	maxInputs = 1 << 20   // bytes of JSON echoed as the inputs of all errors of one answer
)

// Loc is the place of an error. It begins with the part of the request (path, query, header
// or body). Names (string) and positions (int) follow. A position counts the items of an
// array, or the characters of a malformed body.
type Loc []any

// ErrorDetail is one element of a 422's detail, with Pydantic's type codes and
// sentences.
type ErrorDetail struct {
	Type  string
	Loc   Loc
	Msg   string
	Input json.RawMessage // the value at fault as it was sent; nil leaves the key out
	Ctx   map[string]any  // nil leaves the key out
	// Provisional says that the clock or a setting is the reason, so that the same request
	// may have been accepted before. It is not part of the answer.
	Provisional bool
}

// Errors are the elements of a 422's detail in Pydantic's order, the array under "detail". An
// input of more than 64 KiB is left out, and so are the inputs that follow the first MiB of
// all inputs.
type Errors []ErrorDetail

// Provisional reports whether all errors are provisional, so that the same request may have
// been accepted before. It is true if there are no errors.
func (e Errors) Provisional() bool {
	return !slices.ContainsFunc(e, func(err ErrorDetail) bool { return !err.Provisional })
}

// Error joins the sentences. It contains no input, which may be personal data.
func (e Errors) Error() string {
	sentences := make([]string, len(e))
	for i := range e {
		sentences[i] = e[i].Loc.String() + ": " + e[i].Msg
	}
	return strings.Join(sentences, "; ")
}

// String joins the parts of a place with dots, for logs.
func (l Loc) String() string {
	parts := make([]string, len(l))
	for i, part := range l {
		switch part := part.(type) {
		case string:
			parts[i] = part
		case int:
			parts[i] = strconv.Itoa(part)
		}
	}
	return strings.Join(parts, ".")
}

// MarshalJSON writes one element of detail.
func (e ErrorDetail) MarshalJSON() ([]byte, error) {
	input := e.Input
	if len(input) > maxInput { // such as a text that became longer when it was quoted
		input = nil
	}
	return json.Marshal(struct {
		Type  string          `json:"type"`
		Loc   Loc             `json:"loc"`
		Msg   string          `json:"msg"`
		Input json.RawMessage `json:"input,omitempty"`
		Ctx   map[string]any  `json:"ctx,omitempty"`
	}{e.Type, e.Loc, e.Msg, input, e.Ctx})
}

// ValueError returns the refusal of a rule in Pydantic's form: type value_error, the sentence
// after "Value error, ", and "ctx":{"error":{}}.
func ValueError(sentence string) *ErrorDetail {
	return &ErrorDetail{
		Type: "value_error",
		Msg:  "Value error, " + sentence,
		Ctx:  map[string]any{"error": struct{}{}},
	}
}

// TooLarge refuses a number above a maximum: less_than_equal.
func TooLarge(maximum int64) *ErrorDetail {
	return &ErrorDetail{
		Type: "less_than_equal",
		Msg:  "Input should be less than or equal to " + strconv.FormatInt(maximum, 10),
		Ctx:  map[string]any{"le": maximum},
	}
}

// listTooShort refuses a list of too few items: too_short.
func listTooShort(minimum, actual int) *ErrorDetail {
	return &ErrorDetail{
		Type: "too_short",
		Msg:  "List should have at least " + plural(minimum, "item") + " after validation, not " + strconv.Itoa(actual),
		Ctx:  map[string]any{"field_type": "List", "min_length": minimum, "actual_length": actual},
	}
}

// listTooLong refuses a list of too many items: too_long.
func listTooLong(maximum, actual int) *ErrorDetail {
	return &ErrorDetail{
		Type: "too_long",
		Msg:  "List should have at most " + plural(maximum, "item") + " after validation, not " + strconv.Itoa(actual),
		Ctx:  map[string]any{"field_type": "List", "max_length": maximum, "actual_length": actual},
	}
}

// TextTooShort refuses a text of too few code points: string_too_short.
func TextTooShort(minimum int) *ErrorDetail {
	return &ErrorDetail{
		Type: "string_too_short",
		Msg:  "String should have at least " + plural(minimum, "character"),
		Ctx:  map[string]any{"min_length": minimum},
	}
}

// TextTooLong refuses a text of too many code points: string_too_long.
func TextTooLong(maximum int) *ErrorDetail {
	return &ErrorDetail{
		Type: "string_too_long",
		Msg:  "String should have at most " + plural(maximum, "character"),
		Ctx:  map[string]any{"max_length": maximum},
	}
}

// PatternMismatch refuses a text that does not match: string_pattern_mismatch.
func PatternMismatch(pattern string) *ErrorDetail {
	return &ErrorDetail{
		Type: "string_pattern_mismatch",
		Msg:  "String should match pattern '" + pattern + "'",
		Ctx:  map[string]any{"pattern": pattern},
	}
}

// NotInFuture refuses a date-time that is past or now: datetime_future.
func NotInFuture() *ErrorDetail {
	return &ErrorDetail{Type: "datetime_future", Msg: "Input should be in the future"}
}

// At completes an error that a handler found. loc is the place, and input the value at fault
// as a text (nil for null).
func (e *ErrorDetail) At(loc Loc, input *string) Errors {
	e.Loc, e.Input = loc, json.RawMessage("null")
	if input != nil {
		e.Input = quote(*input)
	}
	return Errors{*e}
}

func plural(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(count) + " " + noun + "s"
}

// quote returns a text as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func quote(text string) json.RawMessage {
	quoted, err := json.Marshal(text)
	if err != nil { // a string cannot fail to marshal
		return json.RawMessage(`""`)
	}
	return quoted
}

func fault(kind, msg string) *ErrorDetail { return &ErrorDetail{Type: kind, Msg: msg} }
