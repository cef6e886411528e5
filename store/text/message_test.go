package text_test

import (
	stdhtml "html"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"giftcards/store/text"
)

func TestMessageKeepsOrdinaryTextAsTyped(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"",
		"Happy birthday!",
		"Tom & Jerry",
		"Tom &amp; Jerry",
		"5 < 6",
		"6 > 5, 5 < 6 & 7 > 6",
		"a <- b -> c <= d >= e << f >> g",
		"I <3 you",
		"<>",
		"< b >",
		"100% \"quoted\" 'text' `code` \\n",
		"tab\tand\nnewlines\n\nkept",
		"🎁👨‍👩‍👧 Zoë 李小龙 עברית",
		"&lt;3 &copy; &notanentity; &# &#x; & &&",
		"&amp;amp;amp;amp; is how it is escaped",
		"5 &lt; 6",
		"x\u2028y\u00a0z",
		"javascript:alert(1) onload=x",
		"<",
		"ends with <",
		"=1+1",
		strings.Repeat("<", 500),
		strings.Repeat("&", 500),
	} {
		if got := text.Message(s); got != s {
			t.Errorf("Message(%q) = %q", s, got)
		}
	}
}

func TestMessageRemovesMarkup(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"<b>Hi</b> Ann":                                                "Hi Ann",
		"Hi<br/>Ann<BR >":                                              "HiAnn",
		"a<script>alert(1)</script>b":                                  "ab",
		"a<ScRiPt src=x>alert(1)</sCrIpT\n>b":                          "ab",
		"a<script/>alert(1)":                                           "a",
		"a<script>never closed":                                        "a",
		"a<script></script>b":                                          "ab",
		"a<script><!--<script>x</script>--></script>":                  "a",
		"a<style>p{}</style>b<style>c":                                 "ab",
		"a</script>b":                                                  "ab",
		`<img src=x onerror="alert('>')">x`:                            "x",
		"<a href='javascript:1'>link</a>":                              "link",
		"a<!-- c -->b<!DOCTYPE html>c<?xml ?>d":                        "abcd",
		"a</>b</ x>c<![CDATA[<b>]]>d":                                  "abc]]>d",
		"<title>a<b>c</b></title><textarea><i>d":                       "acd",
		"<plaintext>a<b>c":                                             "ac",
		"<svg/onload=alert(1)>x":                                       "x",
		"<math><mi//xlink:href=\"data:x,<script>alert(4)</script>\">x": "x",
		"5 < 6 <b>and</b> 7 > 6":                                       "5 < 6 and 7 > 6",
		"a<b and c>d":                                                  "ad",
		"<x\x00y>z":                                                    "z",
	} {
		if got := text.Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestMessageRemovesMarkupHiddenInEntitiesOrInMarkup(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"&lt;b&gt;Hi&lt;/b&gt; Tom &amp; Ann":        "Hi Tom & Ann",
		"&lt;script&gt;alert(1)&lt;/script&gt;x":     "x",
		"&#60;script&#62;alert(1)&#60;/script&#62;x": "x",
		"&#x3c;b&#X3E;x":                                 "x",
		"&ltb&gtx":                                       "x",
		"&amp;lt;b&amp;gt;x":                             "x",
		"&amp;amp;amp;lt;b&amp;amp;amp;gt;x":             "x",
		"&#38;#60;b&#38;#62;x":                           "x",
		"<scr<script>x</script>ipt>alert(1)</script>y":   "xipt>alert(1)y",
		"<scr<b>ipt>alert(1)</scr</b>ipt>y":              "ipt>alert(1)ipt>y",
		"<<b>script>alert(1)<<b>/script>y":               "y",
		"&l<b>t;script>alert(1)</script>y":               "",
		"<\x00b>x":                                       "x",
		"<&#1;b>x":                                       "x",
		"&\x07lt;b>x":                                    "x",
		"<\u0085i>x":                                     "x",
		strings.Repeat("<", 8) + strings.Repeat("b>", 8): "",
	} {
		if got := text.Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestMessageDropsTheBracketOfATagThatIsNeverClosedAndKeepsItsText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"if a<b then":                      "if ab then",
		"My heart </3 is broken":           "My heart /3 is broken",
		"<img src=x onerror=alert(1) ":     "img src=x onerror=alert(1) ",
		"x<!-- y":                          "x!-- y",
		"x<!doctype y":                     "x!doctype y",
		"x<?y":                             "x?y",
		"x</b":                             "x/b",
		"a<b \"5 < 6":                      "ab \"5 < 6",
		"&lt;img src=x ":                   "img src=x ",
		"<a b=\"<script>alert(1)</script>": "a b=\"script>alert(1)/script>",
		"<<<<img ":                         "img ",
		"x</":                              "x/",
		"<a b='&lt;i ":                     "a b='i ",
	} {
		if got := text.Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestMessageRemovesControlCharactersButNewlineAndTab(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"a\x00b\x1b\x7f\u009fc": "abc",
		"a\tb\nc":               "a\tb\nc",
		"a\r\nb\rc\r\r\nd":      "a\nb\nc\n\nd",
		"a&#8;b &amp; c":        "ab & c",
		"a&#13;&#10;b":          "a\nb",
		"a\xffb":                "a\ufffdb",
		"\xed\xa0\x80":          "\ufffd\ufffd\ufffd",
	} {
		if got := text.Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestMessageThatHidesTooDeepLosesWhatCouldHide(t *testing.T) {
	t.Parallel()
	deep := "a &" + strings.Repeat("amp;", 40) + "lt;script> b"
	if got := text.Message(deep); strings.ContainsAny(got, "<&") || !strings.HasPrefix(got, "a ") {
		t.Errorf("Message(%q) = %q", deep, got)
	}
	checkMessage(t, deep)
	for _, piece := range []string{"<", "&lt;", "<b", "<b x=\"", "&amp;", "amp;", "<<b>", "<!--", "</", "<script>", "<title>", "&#", "&l<b>t;"} {
		checkMessage(t, strings.Repeat(piece, 500))
		checkMessage(t, strings.Repeat(piece, 100)+strings.Repeat("i>", 100))
	}
}

// checkMessage fails unless Message keeps its promises for s.
func checkMessage(t *testing.T, s string) {
	t.Helper()
	message := text.Message(s)
	if !utf8.ValidString(message) || strings.ContainsFunc(message, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t'
	}) {
		t.Fatalf("Message(%q) = %q is not clean text", s, message)
	}
	if utf8.RuneCountInString(message) > utf8.RuneCountInString(s) {
		t.Fatalf("Message(%q) = %q is longer", s, message)
	}
	if again := text.Message(message); again != message {
		t.Fatalf("Message(%q) = %q, and of that %q", s, message, again)
	}
	byNet, byStd := message, message
	for times := range 7 {
		for _, decoded := range []string{byNet, byStd} {
			if tag := firstTag(decoded); tag != "" {
				t.Fatalf("Message(%q) = %q, decoded %d times it holds %q", s, message, times, tag)
			}
		}
		byNet, byStd = html.UnescapeString(byNet), stdhtml.UnescapeString(byStd)
	}
	if plain(s) && message != s {
		t.Fatalf("Message(%q) = %q, but nothing needs removal", s, message)
	}
}

// firstTag is the first thing in s that is not text, also when the page around
// s closes it.
func firstTag(s string) string {
	if !strings.Contains(s, "<") {
		return ""
	}
	for _, page := range []string{s, s + ">", s + `">`, s + "'>", s + "-->"} {
		tokens := html.NewTokenizer(strings.NewReader(page))
		for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
			if kind != html.TextToken {
				return tokens.Token().String()
			}
		}
	}
	return ""
}

// plain reports whether s can hold neither markup, nor entities, nor control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsAny(s, "<&") && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t'
	})
}

var pieces = []string{
	"<", ">", "&", ";", "/", "!", "-", "--", "\"", "'", "=", " ", "\n", "\r", "\x00", "\x01", "a", "b", "amp;", "lt;", "gt;", "&lt", "&#60;", "&#x3c", "&#1;", "#",
	"script", "<script", "</script>", "style", "<style>", "<title>", "<!--", "-->", "<!doctype", "<![CDATA[", "]]>", "</", "<?", "é", "🎁", "\xff", "&nLt;", "&quot;", "xmp", "<svg>",
}

func TestMessageOfAnyMixtureIsSafe(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 3_000 {
		var s strings.Builder
		for range 1 + random.IntN(30) {
			s.WriteString(pieces[random.IntN(len(pieces))])
		}
		checkMessage(t, s.String())
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("a&lt;script>x</script><b title=\"<i>\">&amp;#60;")
	for _, piece := range pieces {
		f.Add(piece)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkMessage(t, s)
	})
}

// BenchmarkMessage sanitises what is usual, and what is made to cost.
func BenchmarkMessage(b *testing.B) {
	for name, s := range map[string]string{
		"ordinary": "Happy birthday, Zoë! Enjoy your gift. Love, Tom & Jerry",
		"markup":   "Happy <b>birthday</b>, Zoë! Enjoy your gift.",
		"deep":     strings.Repeat("&amp;", 1) + strings.Repeat("amp;", 120) + "lt;b>",
		"nested":   strings.Repeat("<", 166) + strings.Repeat("b>", 166),
		"unclosed": strings.Repeat("<b x=\"", 83),
		"huge":     strings.Repeat("<<b>i>&lt;", 100_000),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				text.Message(s)
			}
		})
	}
}
