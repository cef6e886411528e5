package id_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/store/id"
)

func TestIDsOrderByTheirSecond(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for range 1_000 { // random bytes would get it right half of the time
		earlier, later := id.New(now), id.NewBlock(now.Add(time.Second), 100_000)
		if slices.Compare(earlier[:], later[:]) >= 0 {
			t.Errorf("%s made before %s does not order before it", earlier, later)
		}
		if least := id.Least(now.Add(time.Second)); slices.Compare(earlier[:], least[:]) >= 0 || slices.Compare(least[:], later[:]) > 0 {
			t.Errorf("%s is not between the seconds of %s and %s", least, earlier, later)
		}
	}
}

func TestIDsAreDistinct(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	seen := map[id.ID]bool{}
	for range 10_000 {
		seen[id.New(now)] = true
	}
	for range 1_000 {
		seen[id.NewBlock(now, 100_000)] = true
	}
	if len(seen) != 11_000 {
		t.Errorf("%d distinct ids of 11000", len(seen))
	}
}

// TestAnIDRevealsNothingAboutOthers: a merchant who makes one card now and one later must not
// learn how many cards were made in between, nor which process made them.
func TestAnIDRevealsNothingAboutOthers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, first := range []func() id.ID{
		func() id.ID { return id.New(now) }, func() id.ID { return id.NewBlock(now, 50) },
	} {
		const draws = 2_000
		var ones [64]int // how often each bit below the second is set
		near := 0        // how often an id follows the one before closely
		previous := first()
		for range draws {
			next := first()
			low, last := binary.BigEndian.Uint64(next[4:]), binary.BigEndian.Uint64(previous[4:])
			for bit := range ones {
				ones[bit] += int(low >> bit & 1)
			}
			if low-last < 1<<40 {
				near++
			}
			previous = next
		}
		for bit, n := range ones {
			if n < draws/2-300 || n > draws/2+300 { // 13 standard deviations
				t.Errorf("bit %d is set in %d of %d ids", bit, n, draws)
			}
		}
		if near > 0 {
			t.Errorf("%d of %d ids follow the one before", near, draws)
		}
	}
}

func TestPlusWalksTheBlockInOrder(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, count := range []int{2, 50, 100_000, id.MaxBlock - 1, id.MaxBlock} {
		for range 100 {
			first := id.NewBlock(now, count)
			last := first.Plus(count - 1) // there is room, wherever the block begins
			if slices.Compare(first[:], last[:]) >= 0 || last.String()[:18] != first.String()[:18] {
				t.Fatalf("%s, the last of %d, does not follow %s", last, count, first)
			}
		}
	}
	first := id.NewBlock(now, id.MaxBlock)
	previous := first
	for _, n := range []int{1, 255, 256, 65_535, 65_536, id.MaxBlock - 1} {
		next := first.Plus(n)
		if slices.Compare(previous[:], next[:]) >= 0 {
			t.Errorf("Plus(%d) = %s does not follow %s", n, next, previous)
		}
		previous = next
	}
	for what, do := range map[string]func(){
		"Plus past the end": func() { first.Plus(id.MaxBlock) }, "Plus before the beginning": func() { first.Plus(-1) },
		"a block of none": func() { id.NewBlock(now, 0) }, "a block too large": func() { id.NewBlock(now, id.MaxBlock+1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", what)
				}
			}()
			do()
		}()
	}
}

func TestParseTakesLowerCaseHexOnly(t *testing.T) {
	t.Parallel()
	const text = "5eb7cf5a86d9755df3a6c593"
	got, err := id.Parse(text)
	if err != nil || got.String() != text {
		t.Errorf("Parse(%s) = %s, %v", text, got, err)
	}
	for _, bad := range []string{"", text[1:], text + "0", strings.ToUpper(text), "gggggggggggggggggggggggg"} {
		if got, err := id.Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", bad, got)
		}
	}
}
