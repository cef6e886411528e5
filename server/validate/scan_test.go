package validate

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestScanRefusesInTheWordsOfPythonsDecoder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text     string
		position int
		reason   string
	}{
		{"", 0, "Expecting value"},
		{" \n", 2, "Expecting value"},
		{"nul", 0, "Expecting value"},
		{"NaN", 0, "Expecting value"},
		{`[1, -Infinity]`, 4, "Expecting value"},
		{"-", 0, "Expecting value"},
		{"[1,]", 3, "Expecting value"},
		{"[1 2]", 3, "Expecting ',' delimiter"},
		{"01", 1, "Extra data"},
		{"1.e5", 1, "Extra data"},
		{"1e+", 1, "Extra data"},
		{"{} {}", 3, "Extra data"},
		{"{}\x00", 2, "Extra data"},
		{"{", 1, "Expecting property name enclosed in double quotes"},
		{`{"a":1,}`, 7, "Expecting property name enclosed in double quotes"},
		{`{"a" 1}`, 5, "Expecting ':' delimiter"},
		{`{"a":1 "b":2}`, 7, "Expecting ',' delimiter"},
		{`{"a":1`, 6, "Expecting ',' delimiter"},
		{`"a`, 0, "Unterminated string starting at"},
		{`"a\`, 0, "Unterminated string starting at"},
		{"\"a\nb\"", 2, "Invalid control character at"},
		{`"\x"`, 1, `Invalid \escape`},
		{`"\u12g4"`, 2, `Invalid \uXXXX escape`},
		{`"\u1234`, 2, `Invalid \uXXXX escape`},
		{`"\ud83d\u12"`, 8, `Invalid \uXXXX escape`},
		{`{"é😀":1,}`, 8, "Expecting property name enclosed in double quotes"},
		{"\uFEFF{\"é\"}", 4, "Expecting ':' delimiter"},
		{"\uFEFF\uFEFF{}", 0, "Expecting value"},
		{"\"é\xff\"", 2, "Invalid UTF-8"},
		{"[\"\xed\xa0\x80\"]", 2, "Invalid UTF-8"},
		{`{"a":1,"b":2,"a":3}`, 13, "Duplicate key"},
		{`{"a":1,"\u0061":3}`, 7, "Duplicate key"},
		{`{"x":{"a":{"a":1},"b":[{"a":1},{"a":1}]},"x":1}`, 41, "Duplicate key"},
	} {
		got, err := scan(test.text)
		if err == nil {
			t.Errorf("%q: accepted as %v", test.text, got.nodes)
		} else if err.position != test.position || err.reason != test.reason {
			t.Errorf("%q: got %d %s, want %d %s", test.text, err.position, err.reason, test.position, test.reason)
		}
	}
}

func TestScanFindsADuplicateAmongManyKeys(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 100 {
		b.WriteString(`"` + strings.Repeat("k", i+1) + `":{"k":[]},`)
	}
	if _, err := scan("{" + b.String() + `"other":1}`); err != nil {
		t.Errorf("different keys: %v", err)
	}
	_, err := scan("{" + b.String() + `"kkk":1}`)
	if err == nil || err.reason != "Duplicate key" || err.position != b.Len()+1 {
		t.Errorf("got %v, want a duplicate key at %d", err, b.Len()+1)
	}
}

func TestScanBoundsNesting(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	if _, err := scan(nested(maxDepth)); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
	_, err := scan(nested(maxDepth + 1))
	if err == nil || err.reason != "Too many nested brackets" || err.position != maxDepth {
		t.Errorf("%d levels: got %v", maxDepth+1, err)
	}
	if _, err := scan(strings.Repeat(`{"a":[`, 1_000_000)); err == nil || err.reason != "Too many nested brackets" {
		t.Errorf("a million levels: got %v", err)
	}
}

func TestTapeReadsTheValuesOfTheText(t *testing.T) {
	t.Parallel()
	got, err := scan(`{"a": [1, -2.5e3, {"b": null}], "c\n": "\u00e9\ud83d\ude00\"", "d": true, "e": false}`)
	if err != nil {
		t.Fatal(err)
	}
	array, _ := got.member(0, "a")
	if got.length(array) != 3 || got.source(array) != `[1, -2.5e3, {"b": null}]` {
		t.Errorf("array: %d items of %s", got.length(array), got.source(array))
	}
	text, ok := got.member(0, "c\n")
	if !ok || got.string(text) != "é😀\"" {
		t.Errorf("text: %q", got.string(text))
	}
	if _, ok := got.member(0, "b"); ok {
		t.Error("a key of an inner object was found in the outer one")
	}
	if last, _ := got.member(0, "e"); got.nodes[last].kind != kindFalse {
		t.Errorf("last member: %v", got.nodes[last])
	}
}

func TestUnescapeMarksHalvesOfSurrogatePairs(t *testing.T) {
	t.Parallel()
	for escaped, want := range map[string]string{
		`\ud800`: "\uFFFD", `a\udc00b`: "a\uFFFDb", `\ud800\ud83d\ude00`: "\uFFFD😀", `\ud83dx`: "\uFFFDx", `\ud83d\n`: "\uFFFD\n",
	} {
		if got, whole := unescape(escaped); whole || got != want {
			t.Errorf("%s: got %q, %v", escaped, got, whole)
		}
	}
	if got, whole := unescape(`\ud83d\ude00\/\b\f\r\t\\`); !whole || got != "😀/\b\f\r\t\\" {
		t.Errorf("got %q, %v", got, whole)
	}
}

func FuzzScanAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"\u00e9"],"b":null}`, `[]`, `"x`, `{"a":1,"a":2}`, "\uFEFF1", `[1e400]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := scan(text)
		valid := json.Valid([]byte(strings.TrimPrefix(text, "\uFEFF")))
		switch {
		case err == nil && !valid:
			t.Errorf("accepted %q", text)
		case err != nil && valid && err.reason != "Duplicate key" && err.reason != "Invalid UTF-8" && err.reason != "Too many nested brackets":
			t.Errorf("refused %q: %d %s", text, err.position, err.reason)
		case err == nil && got.next(0) != uint32(len(got.nodes)):
			t.Errorf("%q: the first value ends at node %d of %d", text, got.next(0), len(got.nodes))
		}
	})
}

func TestABodyOfMillionsOfValuesIsRefused(t *testing.T) {
	t.Parallel()
	_, refused := scan("[" + strings.Repeat("1,", 3<<20) + "1]")
	if refused == nil || refused.reason != "Too many values" {
		t.Errorf("three million numbers: %v", refused)
	}
	if _, refused := scan("[" + strings.Repeat("{},", 1_000_000) + "{}]"); refused != nil {
		t.Errorf("a million empty recipients: %v", refused)
	}
}
