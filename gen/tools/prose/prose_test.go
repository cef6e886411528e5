package main

import (
	"slices"
	"strings"
	"testing"
)

func TestFindsSentencesThatMustBeReadTwice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"a clause as subject", "What the server refuses is a 422.", 1},
		{"a person's clause as subject", "Waits. Whoever asks gets a 503.", 1},
		{"a clause that begins on a later line", "The first sentence ends.\nWho asks twice is refused.", 1},
		{"since for because", "The batch is small, since memory is.", 1},
		{"since of a time", "The log since a time, the latest first.", 0},
		{"a question", "What does a reader see?", 0},
		{"a question on two lines", "What does a reader\nsee?", 0},
		{"a word inside of a sentence", "It says what the server refuses.", 0},
		{"a line that goes on with a clause", "It says to the caller\nWhat is refused", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var lines []line
			for i, text := range strings.Split(c.text, "\n") {
				lines = append(lines, line{i + 1, text})
			}
			if found := judgeText("file", lines); len(found) != c.want {
				t.Errorf("%d findings, want %d: %v", len(found), c.want, found)
			}
		})
	}
}

func TestFindsLongFunctionsThatExplainNothing(t *testing.T) {
	t.Parallel()
	function := func(inside string) []byte {
		return []byte("package p\n\nfunc long() {\n" + inside + strings.Repeat("\tcall()\n", longFunction) + "}\n")
	}
	for inside, want := range map[string]int{"": 1, "\t// The order matters.\n": 0} {
		found, err := judgeGo("file.go", function(inside), &figures{})
		if err != nil || len(found) != want {
			t.Errorf("%q: %d findings, error %v, want %d", inside, len(found), err, want)
		}
	}
}

func TestReadsNoCodeInMarkdown(t *testing.T) {
	t.Parallel()
	page := "# What is judged\n\n```\nWhat is code is not read.\n```\n\n| What | Why |\n\n- What is in a list is read.\n"
	found := judgeText("page.md", markdownLines(page))
	if lines := slices.Collect(func(yield func(int) bool) {
		for _, f := range found {
			yield(f.line)
		}
	}); !slices.Equal(lines, []int{9}) {
		t.Errorf("findings on lines %v, want 9 alone", lines)
	}
}
