package validate

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// pair is one field of a query or form.
type pair struct{ name, value string }

// parseQuery reads a query as Python does. Only "&" separates fields, a malformed escape stays
// as it is, and bytes that are not UTF-8 become U+FFFD.
func parseQuery(query string) []pair {
	var pairs []pair
	for field := range strings.SplitSeq(query, "&") {
		if field == "" {
			continue
		}
		name, value, _ := strings.Cut(field, "=")
		pairs = append(pairs, pair{unquote(name), unquote(value)})
	}
	return pairs
}

// last returns the last value of a name. In Starlette the last one counts.
func last(pairs []pair, name string) (string, bool) {
	for _, p := range slices.Backward(pairs) {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// unquote decodes plus signs and percent escapes.
func unquote(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return decodeUTF8(s)
	}
	decoded := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			decoded = append(decoded, ' ')
		case s[i] == '%' && i+2 < len(s) && hexDigit[s[i+1]] > 0 && hexDigit[s[i+2]] > 0:
			// hexDigit is one more than the value, because 0 stands for no digit.
			decoded = append(decoded, (hexDigit[s[i+1]]-1)<<4|(hexDigit[s[i+2]]-1))
			i += 2
		default:
			decoded = append(decoded, s[i])
		}
	}
	// Only at the end, because the bytes of one character may come from several escapes.
	return decodeUTF8(string(decoded))
}

// decodeUTF8 replaces bytes that are not UTF-8. As in Python, a sequence that is cut short
// becomes one U+FFFD, however many bytes it has.
func decodeUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		b.WriteRune(r)
		if r == utf8.RuneError && size == 1 {
			size = truncated(s[i:])
		}
		i += size
	}
	return b.String()
}

// truncated returns the length of the longest beginning of s that also begins some UTF-8
// sequence, and at least 1.
func truncated(s string) int {
	for length := min(3, len(s)); length > 1; length-- {
		if !utf8.FullRuneInString(s[:length]) {
			return length
		}
	}
	return 1
}

// formBody reads a form as Starlette does. A body of another content type has no fields. On
// the tape the form is an object with the last value of each field that the document has.
// An empty value is left out, because FastAPI treats it as absent.
func formBody(contentType string, raw []byte, o *object) body {
	t := &tape{nodes: []node{{kind: kindObject}}}
	form := url.Values{}
	if isForm(contentType) {
		// Starlette reads the bytes as Latin-1 before it decodes the escapes.
		pairs := parseQuery(latin1(string(raw)))
		for _, p := range pairs {
			form.Add(p.name, p.value)
		}
		for i := range o.properties {
			name := o.properties[i].name
			if value, sent := last(pairs, name); sent && value != "" {
				t.addText(name)
				t.addText(value)
			}
		}
	}
	t.nodes[0].link = uint32(len(t.nodes))
	return body{tape: t, form: form}
}

// form judges the fields of a form like those of an object, except that the error about a
// missing one has the input null.
func (w *walk) form(o *object, i uint32) {
	w.place = append(w.place, step{})
	for n := range o.properties {
		p := &o.properties[n]
		w.place[len(w.place)-1].name = p.name
		if value, sent := w.tape.member(i, p.name); sent {
			w.property(p, value)
		} else if p.required {
			w.missing([]byte("null"))
		}
	}
	w.place = w.place[:len(w.place)-1]
}
