package main

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// faults maps a flag or variable to its error. The operator sees all of them at once.
type faults map[string]string

func (f faults) String() string {
	var lines []string
	for flag, fault := range f {
		lines = append(lines, fmt.Sprintf("  %s: %s", flag, fault))
	}
	slices.Sort(lines)
	return "giftcards: these settings are not usable:\n" + strings.Join(lines, "\n")
}

// options makes kong note unreadable values and go on, instead of failing at the first.
func (f faults) options() []kong.Option {
	return []kong.Option{
		kong.KindMapper(reflect.Int, noting(f, "a number", strconv.Atoi)),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), noting(f, "a duration such as 90s or 24h", time.ParseDuration)),
	}
}

func noting[T ~int | ~int64](f faults, want string, read func(string) (T, error)) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		value, unreadable := read(text)
		if unreadable != nil {
			// The sentinel is outside of every setting's bounds. A valid flag after an
			// invalid variable replaces it.
			f["--"+ctx.Value.Name] = fmt.Sprintf("want %s, not %q", want, text)
			value = math.MinInt64
		}
		target.SetInt(int64(value))
		return nil
	}
}

// note records want as the flag's fault unless the setting is fit. An earlier fault of
// an unreadable value stays, because it is more precise.
func (f faults) note(flag string, fit bool, want string) {
	flag = "--" + flag
	switch _, known := f[flag]; {
	case fit:
		delete(f, flag)
	case !known:
		f[flag] = want
	}
}
