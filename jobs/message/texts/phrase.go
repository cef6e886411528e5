package texts

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// phrase is a text in pieces: words, and the names of what is filled in.
type phrase []piece

// piece is either words or, with a name, a place to fill in.
type piece struct{ words, name string }

// placeName matches the name of a place, such as merchant.
var placeName = regexp.MustCompile(`^[a-z]+$`)

// parsePhrase reads a text with places in braces.
func parsePhrase(text string) (phrase, error) {
	var p phrase
	for text != "" {
		words, rest, open := strings.Cut(text, "{")
		if strings.Contains(words, "}") {
			return nil, errors.New("a } without a {")
		}
		if words != "" {
			p = append(p, piece{words: words})
		}
		if !open {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !placeName.MatchString(name) {
			return nil, errors.New("a { without a name and a }: want a place such as {merchant}")
		}
		p, text = append(p, piece{name: name}), after
	}
	return p, nil
}

// endsSentence matches a value that ends with a mark of its own, such as the name Smith & Co. or the
// amount 42.50 د.إ., also within the isolates of HTML and before the invisible marks of directions.
var endsSentence = regexp.MustCompile(`[.!?…。؟](</bdi>|\p{Cf})*$`)

// fill returns the text with all places filled in. words changes what stands between them. A full
// stop that follows a place is left out if the value ends a sentence itself.
func (p phrase) fill(words func(string) string, value func(name string) string) string {
	var b strings.Builder
	filled := "" // the place before
	for _, piece := range p {
		if piece.name != "" {
			filled = value(piece.name)
			b.WriteString(filled)
			continue
		}
		between := piece.words
		if strings.HasPrefix(between, ".") && endsSentence.MatchString(filled) {
			between = between[1:]
		}
		b.WriteString(words(between))
		filled = ""
	}
	return b.String()
}

// places returns the names of the places, in order, each once.
func (p phrase) places() []string {
	var names []string
	for _, piece := range p {
		if piece.name != "" {
			names = append(names, piece.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkPlaces compares the places of a text with those of the English one. A plural form may
// leave out its number, as in "one card".
func (p phrase) checkPlaces(english phrase, plural bool) error {
	has, want := p.places(), english.places()
	for _, name := range has {
		if !slices.Contains(want, name) {
			return fmt.Errorf("{%s} is not known in this text", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(has, name) && (!plural || name != countPlace) {
			return fmt.Errorf("{%s} is missing", name)
		}
	}
	return nil
}

// countPlace is the place of the number that decides on the plural form.
const countPlace = "count"
