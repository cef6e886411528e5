package validate

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// pair is one field of a query or form.
type pair struct{ name, value string }

// parseQuery reads a query as Python does: "&" alone separates, an escape that is
// none stays as it is, and what is not UTF-8 becomes U+FFFD.
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

// last finds the last value of a name, which is the one that counts.
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
			decoded = append(decoded, (hexDigit[s[i+1]]-1)<<4|(hexDigit[s[i+2]]-1))
			i += 2
		default:
			decoded = append(decoded, s[i])
		}
	}
	return decodeUTF8(string(decoded))
}

// decodeUTF8 replaces what is not UTF-8, one U+FFFD for each longest start of a
// sequence as Python does.
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

// truncated is the length of the longest start of s that starts some UTF-8
// sequence, at least 1.
func truncated(s string) int {
	for length := min(3, len(s)); length > 1; length-- {
		if !utf8.FullRuneInString(s[:length]) {
			return length
		}
	}
	return 1
}

// formBody reads a form as Starlette does; a body that is announced as anything
// else has no fields. On the tape it is an object that holds the last value of
// each known field; FastAPI takes an empty value for none.
func formBody(contentType string, raw []byte, o *object) body {
	t := &tape{nodes: []node{{kind: kindObject}}}
	form := url.Values{}
	if isForm(contentType) {
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

// form judges the fields of a form: as an object, but a missing one has no input.
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
