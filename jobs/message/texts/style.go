package texts

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/bojanz/currency"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Settings are those of a program that its texts depend on. An empty one is not set.
type Settings struct {
	Locale   string         // a BCP 47 tag such as fr-CH
	Currency string         // an ISO 4217 code such as EUR
	Zone     *time.Location // nil: UTC
}

// NewSettings returns the settings of a program, whose locale and currency may be nil. It fails if
// this machine has no data about the time zone.
func NewSettings(locale, currency *string, zone string) (Settings, error) {
	location, err := time.LoadLocation(zone)
	settings := Settings{Zone: location}
	if locale != nil {
		settings.Locale = *locale
	}
	if currency != nil {
		settings.Currency = *currency
	}
	return settings, err
}

// Style is how the texts of a program are written. Without a locale and a currency it is
// English, and amounts are plain decimals.
type Style struct {
	*tongue
	settings Settings
	tag      language.Tag    // of the texts, with the region of the locale
	money    currency.Locale // for amounts and numbers
}

// Style returns the style for a program's settings. A locale that has no texts gets those of its
// language, or else English. It never fails: a locale that cannot be read counts as not set.
func (l *Languages) Style(s Settings) Style {
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	tag, err := language.Parse(s.Locale)
	if err != nil || s.Locale == "" {
		s.Locale, tag = "", language.English
	}
	style := Style{tongue: l.find(tag), settings: s, tag: tag}
	// The texts of one language with the decimal comma of another would be misread.
	texts, _ := style.tongue.tag.Base()
	if locale, _ := tag.Base(); locale != texts {
		style.tag = style.tongue.tag
	}
	style.money = moneyLocale(style.tag)
	return style
}

// Lang is the language of the texts for HTML's lang attribute.
func (s Style) Lang() string { return s.tag.String() }

// Dir is the direction of the texts for HTML's dir attribute: ltr or rtl, or "" without a
// locale, because left to right is the default.
func (s Style) Dir() string {
	switch {
	case s.settings.Locale == "":
		return ""
	case s.mirror:
		return "rtl"
	}
	return "ltr"
}

// Mirrored reports whether lines begin at the right.
func (s Style) Mirrored() bool { return s.mirror }

// Localised reports whether the program has a locale.
func (s Style) Localised() bool { return s.settings.Locale != "" }

// Variant returns the first of the names that is a text of the language, or "".
func (s Style) Variant(names ...string) string {
	at := slices.IndexFunc(names, func(name string) bool { return s.phrases[name] != nil })
	if at < 0 {
		return ""
	}
	return names[at]
}

// Known reports whether there is a text of the name, or one whose name begins with it and a dot.
func (s Style) Known(name string) bool { return s.known[name] }

// Fill returns the text with a name, "" if there is none. words changes the text's own words, and
// value returns what is filled in at a place.
func (s Style) Fill(name string, words func(string) string, value func(place string) string) string {
	return s.phrases[name].fill(words, value)
}

// Text returns the text with a name, and the values at its places as they are.
func (s Style) Text(name string, values map[string]string) string {
	return s.Fill(name, func(words string) string { return words }, func(place string) string { return values[place] })
}

// HTML returns the text with a name as HTML, and the values at its places as they are.
func (s Style) HTML(name string, values map[string]template.HTML) template.HTML {
	return template.HTML(s.Fill(name, template.HTMLEscapeString, func(place string) string { return string(values[place]) })) //nolint:gosec // words are escaped, values are HTML
}

// Plural returns the name of the text for a number of things: the one of name's plural forms that
// the language uses.
func (s Style) Plural(name string, n int) string {
	form := plural.Cardinal.MatchPlural(s.tag, n, 0, 0, 0, 0)
	return s.Variant(name+"."+forms[form], name+"."+otherForm)
}

// Number returns a whole number with the separators of the language, such as 1,234,567.
func (s Style) Number(n int) string {
	// Some currency is needed, and is not shown.
	amount, err := currency.NewAmount(fmt.Sprint(n), "EUR")
	if err != nil {
		return fmt.Sprint(n)
	}
	f := currency.NewFormatter(s.money)
	f.CurrencyDisplay, f.MinDigits = currency.DisplayNone, 0
	return strings.TrimSpace(f.Format(amount))
}
