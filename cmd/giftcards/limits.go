package main

import (
	"context"
	"errors"
	"fmt"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
)

// dailyLimits are the flags of the commands that set daily limits.
type dailyLimits struct {
	CardsPerDay *int64  `placeholder:"N" help:"Most cards that may be issued in a day (UTC). The other limit stays unchanged."`
	ValuePerDay *string `placeholder:"AMOUNT" help:"Largest sum of the initial values of cards issued in a day (UTC) and of the reloads of that day, such as 500 or 99.50. The other limit stays unchanged."`
	None        bool    `help:"Remove both limits."`
}

// printedLimits are part of a printed program or user. null means no limit.
type printedLimits struct {
	CardsPerDay *int64        `json:"cardsPerDay"`
	ValuePerDay *money.Amount `json:"valuePerDay"`
}

// parse returns the limits to set. A limit that was not named is nil.
func (d dailyLimits) parse() (store.Limits, error) {
	limits := store.Limits{CardsPerDay: d.CardsPerDay}
	named := d.CardsPerDay != nil || d.ValuePerDay != nil
	switch {
	case named && d.None:
		return limits, errors.New("--none: cannot be combined with a limit")
	// A command without flags must not remove the limits, as setLimits does with none.
	case !named && !d.None:
		return limits, errors.New("want --cards-per-day, --value-per-day or --none")
	case d.CardsPerDay != nil && *d.CardsPerDay < 0:
		return limits, errors.New("--cards-per-day: want 0 or more")
	}
	if d.ValuePerDay != nil {
		value, err := parseDailyValue(*d.ValuePerDay)
		if err != nil {
			return limits, err
		}
		limits.ValuePerDay = &value
	}
	return limits, nil
}

// maxDailyValue is larger than any day's sum, and short enough to read.
const maxDailyValue = "1000000000000"

func parseDailyValue(text string) (money.Amount, error) {
	value, err := money.Parse(text)
	most, mostErr := money.Parse(maxDailyValue)
	if err != nil || mostErr != nil || value.Cmp(money.Amount{}) < 0 || value.Cmp(most) > 0 || value.Decimals() > 2 {
		return money.Amount{}, fmt.Errorf("--value-per-day: want an amount from 0 to %s with at most 2 decimals, such as 500 or 99.50", maxDailyValue)
	}
	return value, nil
}

// setLimits sets the limits that are named, or removes both if none is.
func setLimits(ctx context.Context, tx *store.Tx, scope id.ID, limits store.Limits) error {
	if limits == (store.Limits{}) {
		return tx.RemoveLimits(ctx, scope)
	}
	return tx.SetLimits(ctx, scope, limits)
}
