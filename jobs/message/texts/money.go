package texts

import (
	"strings"

	"github.com/bojanz/currency"
	"golang.org/x/text/language"
)

// The formatter is exact up to here: beyond, it writes exponents or has no place for all digits.
const (
	exactDecimals = 6
	exactDigits   = 15 // before the point
)

// Money returns an amount with the program's currency, in the form of its locale: 1.234,50 €. No
// digit is lost, and decimals of 0 beyond those of the currency are left out. value is a decimal
// of at least two decimals, as money.Amount prints it. Without a currency the form is that of the
// locale alone, and without both value stays as it is.
func (s Style) Money(value string) string {
	code, display := s.settings.Currency, currency.DisplaySymbol
	if code == "" && !s.Localised() {
		return value
	}
	if code == "" {
		code, display = "EUR", currency.DisplayNone // for its two decimals
	}
	whole, decimals, _ := strings.Cut(value, ".")
	decimals = strings.TrimRight(decimals, "0")
	amount, err := currency.NewAmount(value, code)
	if err != nil || len(decimals) > exactDecimals || len(whole) > exactDigits {
		if display == currency.DisplayNone {
			return value
		}
		return value + "\u00a0" + code
	}
	f := currency.NewFormatter(s.money)
	f.CurrencyDisplay, f.MaxDigits = display, exactDecimals
	return strings.TrimSpace(f.Format(amount))
}

// moneyLocale returns the parts of a tag that the form of an amount depends on.
func moneyLocale(tag language.Tag) currency.Locale {
	base, script, region := tag.Raw()
	locale := currency.Locale{Language: base.String()}
	if script != (language.Script{}) {
		locale.Script = script.String()
	}
	if region != (language.Region{}) {
		locale.Territory = region.String()
	}
	return locale
}
