package id_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/store/id"
)

func TestIDsOrderByTheirSecond(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	earlier, later := id.New(now), id.NewBlock(now.Add(time.Second))
	if slices.Compare(earlier[:], later[:]) >= 0 {
		t.Errorf("%s made before %s does not order before it", earlier, later)
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
		seen[id.NewBlock(now)] = true
	}
	if len(seen) != 11_000 {
		t.Errorf("%d distinct ids of 11000", len(seen))
	}
}

func TestPlusWalksTheBlockInOrder(t *testing.T) {
	t.Parallel()
	first := id.NewBlock(time.Now())
	previous := first
	for _, n := range []int{1, 255, 256, 65_535, 65_536, id.MaxBlock - 1} {
		next := first.Plus(n)
		if slices.Compare(previous[:], next[:]) >= 0 {
			t.Errorf("Plus(%d) = %s does not follow %s", n, next, previous)
		}
		if next.String()[:18] != first.String()[:18] {
			t.Errorf("Plus(%d) = %s left the block of %s", n, next, first)
		}
		previous = next
	}
	defer func() {
		if recover() == nil {
			t.Error("Plus past the block's end did not panic")
		}
	}()
	first.Plus(id.MaxBlock)
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
