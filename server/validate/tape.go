package validate

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is the kind of a node of a tape.
type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindInt     // a number without fraction and exponent
	kindFloat   // any other number
	kindString  // a string without escapes
	kindEscaped // a string with escapes
	kindText    // a string that does not come from JSON: a parameter or a form field
	kindArray
	kindObject
)

// node is one value (or key) of a tape.
type node struct {
	start, end uint32 // byte positions in the text
	// link has two meanings. For an array or object it is the index of the node after its
	// last descendant. For any other node it is 0, or one more than the index of the
	// validated value in texts (in times, for a date-time).
	link uint32
	kind kind
}

// tape is a scanned JSON text, with one node for each key and value in the order of the
// text: a container comes before its content, a key before its value. So a body of 100,000
// items costs one slice and not a tree.
type tape struct {
	text  string
	nodes []node
	texts []string    // validated texts that differ from their source
	times []time.Time // validated date-times
}

// next returns the index of the node after i and the content of i.
func (t *tape) next(i uint32) uint32 {
	if n := &t.nodes[i]; n.kind >= kindArray {
		return n.link
	}
	return i + 1
}

// length returns the number of items of an array.
func (t *tape) length(i uint32) int {
	count := 0
	for item, end := i+1, t.nodes[i].link; item < end; item = t.next(item) {
		count++
	}
	return count
}

// member returns the index of the value of a key in the object i.
func (t *tape) member(i uint32, key string) (uint32, bool) {
	for k, end := i+1, t.nodes[i].link; k < end; k = t.next(k + 1) {
		if t.string(k) == key {
			return k + 1, true
		}
	}
	return 0, false
}

// source returns the text of a value as it was sent.
func (t *tape) source(i uint32) string {
	n := &t.nodes[i]
	return t.text[n.start:n.end]
}

// input returns a copy of a value as JSON, for the "input" of an error. It is nil if the
// value is too large for an answer, so that the error does not hold a second copy of a body.
func (t *tape) input(i uint32) json.RawMessage {
	isText := t.nodes[i].kind == kindText
	source := t.source(i)
	if isText {
		source = t.string(i)
	}
	switch {
	case len(source) > maxInput:
		return nil
	case isText:
		return quote(source)
	default:
		return json.RawMessage(source)
	}
}

// string returns the text of a string or key: the validated text if there is one. Half a
// surrogate pair in an escape becomes U+FFFD; wholeText reports it.
func (t *tape) string(i uint32) string {
	n := &t.nodes[i]
	switch {
	case n.link > 0:
		return t.texts[n.link-1]
	case n.kind == kindEscaped:
		text, _ := unescape(t.text[n.start+1 : n.end-1])
		return text
	case n.kind == kindString:
		return t.text[n.start+1 : n.end-1]
	default:
		return t.text[n.start:n.end]
	}
}

// setText stores the validated text of a node.
func (t *tape) setText(i uint32, text string) {
	t.texts = append(t.texts, text)
	t.nodes[i].link = uint32(len(t.texts))
}

// setTime stores the validated time of a node.
func (t *tape) setTime(i uint32, at time.Time) {
	t.times = append(t.times, at)
	t.nodes[i].link = uint32(len(t.times))
}

// time returns the validated value of a date-time.
func (t *tape) time(i uint32) time.Time { return t.times[t.nodes[i].link-1] }

// addText appends a string that does not come from JSON, and returns its index.
func (t *tape) addText(text string) uint32 {
	t.nodes = append(t.nodes, node{kind: kindText})
	i := uint32(len(t.nodes) - 1)
	t.setText(i, text)
	return i
}

// unescape decodes the inside of a scanned JSON string. It reports false if an escape stands
// for half a surrogate pair, which no Unicode text can contain.
func unescape(s string) (string, bool) {
	var b strings.Builder
	b.Grow(len(s))
	whole := true
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		c := s[i+1]
		if c != 'u' {
			b.WriteByte(unescaped[c])
			i += 2
			continue
		}
		r := hex4(s[i+2:])
		i += 6
		// JSON escapes a character above U+FFFF as a pair. If the second half is missing, the
		// first one becomes U+FFFD and the next escape is read by itself.
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if strings.HasPrefix(s[i:], `\u`) {
				pair = utf16.DecodeRune(r, hex4(s[i+2:]))
			}
			if pair == utf8.RuneError {
				whole = false
			} else {
				i += 6
			}
			r = pair
		}
		b.WriteRune(r)
	}
	return b.String(), whole
}

// unescaped maps the letter of a two-character escape to its meaning.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func hex4(s string) rune {
	var r rune
	for i := range 4 {
		r = r<<4 | rune(hexDigit[s[i]]-1)
	}
	return r
}

// hexDigit is one more than the value of a hexadecimal digit, 0 for other bytes.
var hexDigit = func() (values [256]byte) {
	for i, c := range []byte("0123456789abcdef") {
		values[c] = byte(i + 1)
	}
	for i, c := range []byte("ABCDEF") {
		values[c] = byte(i + 11)
	}
	return values
}()
