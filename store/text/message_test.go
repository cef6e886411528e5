package text_test

import (
	"math/rand/v2"
	"strings"
	"testing"

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

func TestMessageKeepsWordsInBracketsReadable(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"5 < 6 && a<b":                        "5 < 6 && a< b",
		"x<y>z":                               "x< y>z",
		"a<b and c>d":                         "a< b and c>d",
		"a<b, c=d>e":                          "a< b, c=d>e",
		"Love, <your friends>":                "Love, < your friends>",
		"<Happy Birthday>":                    "< Happy Birthday>",
		"<time to party>":                     "< time to party>",
		"<i love you>":                        "< i love you>",
		"R&D <team@example.com>":              "R&D < team@example.com>",
		"https: <https://example.com/?a=b>":   "https: < https://example.com/?a=b>",
		"&lt;b&gt;":                           "< b>",
		"&lt;b&gt;Hi&lt;/b&gt; Tom &amp; Ann": "< b>Hi< /b> Tom & Ann",
		"&amp;lt;b&amp;gt;":                   "< b>",
		"<grin> & </sarcasm>":                 "< grin> & < /sarcasm>",
		"My heart </3 is broken, is it?>":     "My heart < /3 is broken, is it?>",
		"<!> <?> </>":                         "< !> < ?> < />",
		"<<wow>>":                             "<< wow>>",
		"<plus> <and> <true>":                 "< plus> < and> < true>",
		"if a<b then":                         "if a< b then",
		"<your <b>best</b> friends>":          "< your best friends>",
		"<y onload=alert(1)>":                 "< y onload=alert(1)>",
		"<b or c> <b>d</b>":                   "< b or c> d",
	} {
		if got := text.Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
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
		"a<script async>alert(1)</script>b":                            "ab",
		"a<script/>alert(1)":                                           "a",
		"a<script>never closed":                                        "a",
		"a<script></script>b":                                          "ab",
		"a<script><!--<script>x</script>--></script>":                  "a",
		"a<style>p{}</style>b<style>c":                                 "ab",
		"a</script>b":                                                  "ab",
		`<img src=x onerror="alert('>')">x`:                            "x",
		"<a href='javascript:1'>link</a>":                              "link",
		"<input disabled>x<video controls></video>":                    "x",
		"a<!-- c -->b<!DOCTYPE html>c<?xml ?>d<?php x ?>":              "abcd",
		"c<![CDATA[<b>]]>d":                                            "c]]>d",
		"<title>a<b>c</b></title><textarea><i>d":                       "acd",
		"<plaintext>a<b>c":                                             "ac",
		"<svg/onload=alert(1)>x":                                       "x",
		"<foreignObject><feImage/>x<mglyph>":                           "x",
		"<x-foo>y</x-foo><my-é-1.b>z":                                  "yz",
		"<marquee><blink><xmp>old</xmp>":                               "old",
		"<math><mi//xlink:href=\"data:x,<script>alert(4)</script>\">x": "x",
		"5 < 6 <b>and</b> 7 > 6":                                       "5 < 6 and 7 > 6",
	} {
		if got := text.Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestMessageBreaksUpMarkupThatEntitiesOrMarkupHide(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"&lt;script&gt;alert(1)&lt;/script&gt;x":     "< script>alert(1)< /script>x",
		"&#60;script&#62;alert(1)&#60;/script&#62;x": "< script>alert(1)< /script>x",
		"&#x3c;b&#X3E;x":                               "< b>x",
		"&ltb&gtx":                                     "< b>x",
		"&amp;amp;amp;lt;b&amp;amp;amp;gt;x":           "< b>x",
		"&#38;#60;b&#38;#62;x":                         "< b>x",
		"<scr<script>x</script>ipt>alert(1)</script>y": "< script>alert(1)y",
		"<<b>script>alert(1)<<b>/script>y":             "< script>alert(1)< /script>y",
		"&l<b>t;script>alert(1)</script>y":             "< script>alert(1)y",
		"<\x00b>x":                                     "x",
		"<&#1;b>x":                                     "< b>x",
		"&\x07lt;b>x":                                  "< b>x",
		"<\u0085i>x":                                   "x",
		strings.Repeat("<", 8) + strings.Repeat("b>", 8): strings.Repeat("<", 7) + " " + strings.Repeat("b>", 7),
	} {
		if got := text.Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestMessageBreaksUpATagThatIsNeverClosed(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"My heart </3 is broken":       "My heart < /3 is broken",
		"<img src=x onerror=alert(1) ": "< img src=x onerror=alert(1) ",
		"x<!-- y":                      "x< !-- y",
		"x<!doctype y":                 "x< !doctype y",
		"x<?y":                         "x< ?y",
		"x</b":                         "x< /b",
		"a<b \"5 < 6":                  "a< b \"5 < 6",
		"&lt;img src=x ":               "< img src=x ",
		"<<<<img ":                     "<<<< img ",
		"x</":                          "x< /",
		"<a b='&lt;i ":                 "< a b='< i ",
	} {
		if got := text.Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
}

// TestMessageDropsBracketsWhereThereIsNoRoomForSpaces, because the stored text must not be longer
// than the text that was sent.
func TestMessageDropsBracketsWhereThereIsNoRoomForSpaces(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		strings.Repeat("é", 497) + "<y>":  strings.Repeat("é", 497) + "y>",
		strings.Repeat("é", 496) + "<y>":  strings.Repeat("é", 496) + "< y>",
		strings.Repeat("<y", 250):         strings.Repeat("y", 250),
		strings.Repeat("<", 499) + "y":    "y",
		strings.Repeat("&lt;y", 100):      strings.Repeat("< y", 100),
		strings.Repeat(" ", 600) + "a<b<": strings.Repeat(" ", 600) + "ab<",
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

func TestMessageThatIsNestedTooDeepLosesItsMarkup(t *testing.T) {
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

var pieces = []string{
	"<", ">", "&", ";", "/", "!", "-", "--", "\"", "'", "=", " ", "\n", "\r", "\x00", "\x01", "a", "b", "amp;", "lt;", "gt;", "&lt", "&#60;", "&#x3c", "&#1;", "#",
	"script", "<script", "</script>", "style", "<style>", "<title>", "<!--", "-->", "<!doctype", "<![CDATA[", "]]>", "</", "<?", "é", "🎁", "\xff", "&nLt;", "&quot;", "xmp", "<svg>", "<y ", "<x-y>", "onload=x", "<b and", "<?", "]]>", "</textarea>", "\u0338",
}

func TestMessageOfAnyMixtureIsSafe(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 600 {
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
	for _, payload := range payloads {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkMessage(t, s)
	})
}

// BenchmarkMessage sanitises a usual message, and messages that are made to cost time.
func BenchmarkMessage(b *testing.B) {
	for name, s := range map[string]string{
		"ordinary": "Happy birthday, Zoë! Enjoy your gift. Love, Tom & Jerry",
		"markup":   "Happy <b>birthday</b>, Zoë! Enjoy your gift.",
		"deep":     strings.Repeat("&amp;", 1) + strings.Repeat("amp;", 120) + "lt;b>",
		"nested":   strings.Repeat("<", 166) + strings.Repeat("b>", 166),
		"unclosed": strings.Repeat("<b x=\"", 83),
		"words":    strings.Repeat("<a ", 166) + ">",
		"values":   strings.Repeat("<a =\"", 99) + ">",
		"comments": strings.Repeat("<!--", 124) + "> x",
		"huge":     strings.Repeat("<<b>i>&lt;", 100_000),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				text.Message(s)
			}
		})
	}
}
