package message_test

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"
	"mvdan.cc/xurls/v2"

	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
	"giftcards/store/storetest/full"
)

func load(t *testing.T, dir string) *message.Templates {
	t.Helper()
	templates, err := message.Load(dir, builtIn(t))
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

// builtIn returns the built-in texts.
func builtIn(t testing.TB) *texts.Languages {
	t.Helper()
	languages, err := texts.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return languages
}

func compose(t *testing.T, templates *message.Templates, g message.Gift) message.Content {
	t.Helper()
	content, err := templates.Compose(g)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func gift() message.Gift {
	return message.Gift{
		Merchant: "Blackwood Books", Sender: "Grace", Recipient: "Ada", Note: "Happy birthday!\nYours, Grace",
		Value: "50.00", Number: "9849474666052496", Code: "046275", ExpiresAt: time.Date(2027, 11, 24, 12, 0, 0, 0, time.UTC),
		Now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Settings: texts.Settings{Zone: time.UTC},
	}
}

// page parses the HTML as a mail program does. It returns the elements with their attributes, and
// the visible text.
func page(t *testing.T, source string) (elements []string, seen string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for node := range root.Descendants() {
		switch node.Type {
		case html.ElementNode:
			name := node.Data
			for _, a := range node.Attr {
				name += " " + a.Key + "=" + a.Val
			}
			elements = append(elements, name)
		case html.TextNode:
			if node.Parent.Data != "style" {
				text.WriteString(node.Data)
			}
		}
	}
	return elements, text.String()
}

func TestEveryFormTellsAllOfTheGift(t *testing.T) {
	t.Parallel()
	content := compose(t, load(t, ""), gift())
	_, seen := page(t, content.HTML)
	for form, text := range map[string]string{"HTML": seen, "text": content.Text, "SMS": content.SMS} {
		for _, want := range []string{"Blackwood Books", "Grace", "Happy birthday!", "50.00", "9849 4746 6605 2496", "046275", "23 November 2027"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s lacks %q:\n%s", form, want, text)
			}
		}
	}
	if content.Subject != "Grace sent you a gift card from Blackwood Books" {
		t.Errorf("subject %q", content.Subject)
	}
}

func TestAGiftWithoutNamesAndWordsReadsWell(t *testing.T) {
	t.Parallel()
	g := gift()
	g.Sender, g.Recipient, g.Note = " ", "", "\u202e"
	content := compose(t, load(t, ""), g)
	if content.Subject != "Your gift card from Blackwood Books" || strings.Contains(content.Text, ">") || strings.Contains(content.HTML, `class="note"`) {
		t.Errorf("subject %q, text\n%s", content.Subject, content.Text)
	}
}

// relaxed matches texts that a mail program may turn into links.
var relaxed = sync.OnceValue(xurls.Relaxed)

// hostile are texts that a sender may type into any field.
var hostile = map[string]string{
	"markup":           `<script>alert(1)</script><img src=x onerror=alert(1)><a href="http://evil.example">x</a>`,
	"entities":         `&lt;a href=&quot;http://evil.example&quot;&gt;x&lt;/a&gt;`,
	"an attribute":     `" onmouseover="alert(1)" style="position:fixed`,
	"template actions": `{{.Code}} {{define "x"}}{{end}}`,
	"line breaks":      "Grace\r\nBcc: victim@example.com\r\n\r\n<b>body</b>",
	"separators":       "Grace\u2028Bcc: victim@example.com\u0085X: y\v\f\x00",
	"an encoded word":  "=?UTF-8?B?PHNjcmlwdD4=?=",
	"addresses":        "http://evil.example/x https://evil.com www.evil.com evil.com/x EVIL.COM ftp://evil.com evil.co.uk. 例え.com пример.рф",
	"more addresses":   "mailto:a@evil.com a@evil.com tel:+4915112345 javascript:alert(1) //evil.com http:\\\\evil.com user:pw@evil.com:80/p?q#f",
	"hidden joints":    "evil.\u2060com evil\u200b.com evil.\u00adcom http:\u200d//evil.com evil.\u202acom evil\uff0ecom evil\u3002com evil.c\u0301om",
	"IP addresses":     "192.0.2.1 http://192.0.2.1/x 2001:db8::1 [2001:db8::1] 2001:1:2:3:4:5:6:7",
	"paths of files":   `\\\\server\share \\\\3232235777\x \\\\evil.com@SSL\x file:\\\\server ＼＼server＼share \\` + "\u200b" + `\server`,
	"dots of others":   "evil．рф evil。中国 evil｡рф evil․com evil．ｃｏｍ evil.\u00adрф www.nosuch ftp.nosuch evil.xn--p1ai evil.onion evil.local evil.example",
	"schemes":          "skype:ada callto:1 sms:1 HTTPS:evil xmpp:a geo:1,2 hotel:x data:text a@localhost a@[192.0.2.1] a＠evil.com",
	"in brackets":      "(evil.com) <evil.com> [x](http://evil.com) \"evil.com\" ,evil.com",
	"right to left":    "\u202e\u2066\u2069\u200f שלום \u202dabc\u2069\u202c",
	"255 emoji":        strings.Repeat("🎁", 255),
	"joined emoji":     strings.Repeat("👩‍👩‍👧‍👦", 36),
	"combining marks":  strings.Repeat("e\u0301\u0302\u0303", 60),
	"no UTF-8":         "\xff\xfe\xf0\x9f",
}

// hostileInEveryKind yields each hostile text for each kind of message, with the names of both.
func hostileInEveryKind() iter.Seq2[[2]string, string] {
	return func(yield func([2]string, string) bool) {
		for name, typed := range hostile {
			for _, kind := range message.Kinds {
				if !yield([2]string{name, kind}, typed) {
					return
				}
			}
		}
	}
}

func TestNothingTypedBecomesMarkupALinkOrAHeader(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	links := relaxed()
	for name, typed := range hostileInEveryKind() {
		if slices.Index(message.Kinds, name[1]) >= full.Size(len(message.Kinds), 1) {
			continue
		}
		t.Run(name[0]+" in "+name[1], func(t *testing.T) {
			t.Parallel()
			harmless := gift()
			harmless.Kind, harmless.Note = name[1], "one line"
			// The elements of a harmless gift are the only ones that any gift may have.
			elements, _ := page(t, compose(t, templates, harmless).HTML)
			g := gift()
			g.Kind = name[1]
			g.Sender, g.Recipient, g.Note = typed, typed, strings.NewReplacer("\r", "", "\n", " ", "\u2028", " ").Replace(typed)
			content := compose(t, templates, g)
			got, seen := page(t, content.HTML)
			if strings.Join(got, "\n") != strings.Join(elements, "\n") {
				t.Errorf("elements\n%s", strings.Join(got, "\n"))
			}
			for form, text := range map[string]string{"subject": content.Subject, "text": content.Text, "HTML": seen, "SMS": content.SMS} {
				if found := links.FindAllString(text, -1); found != nil {
					t.Errorf("links %q in the %s", found, form)
				}
				if !utf8.ValidString(text) {
					t.Errorf("the %s is not UTF-8", form)
				}
				if strings.ContainsAny(text, "\u202a\u202b\u202c\u202d\u202e") {
					t.Errorf("the %s changes direction", form)
				}
				if strings.Count(text, "\u2068") != strings.Count(text, "\u2069") {
					t.Errorf("isolates of the %s are not balanced", form)
				}
			}
			if strings.ContainsAny(content.Subject, "\r\n") || utf8.RuneCountInString(content.Subject) > 160 {
				t.Errorf("subject %q", content.Subject)
			}
			if !strings.Contains(content.Text, "046275") || !strings.Contains(content.SMS, "046275") {
				t.Error("the code is gone")
			}
		})
	}
}

// TestFiveHundredCodePointsOfAnything cause neither an error nor a link.
func TestFiveHundredCodePointsOfAnything(t *testing.T) {
	t.Parallel()
	templates, links := load(t, ""), relaxed()
	random := rand.New(rand.NewPCG(1, 3))
	pieces := []rune("ab.:/@<>&\"'\\-_0129 \n\t\u200b\u2060\u202e\u2069\u0301\u3002\uff0e#?=%{}[]()")
	words := []string{"http", "://", "www.", "evil", ".com", "mailto:", "@", ".org/", "xn--", ".de:80", "&#46;", "&period;"}
	for range full.Size(20, 3) {
		var typed strings.Builder
		for n := 0; n < 500; n++ {
			switch random.IntN(4) {
			case 0:
				typed.WriteRune(rune(random.IntN(utf8.MaxRune)))
			case 1:
				typed.WriteRune(pieces[random.IntN(len(pieces))])
			default:
				word := words[random.IntN(len(words))]
				typed.WriteString(word)
				n += len(word) - 1
			}
		}
		g := gift()
		g.Note, g.Sender = typed.String(), typed.String()
		content := compose(t, templates, g)
		_, seen := page(t, content.HTML)
		for form, text := range map[string]string{"subject": content.Subject, "text": content.Text, "HTML": seen, "SMS": content.SMS} {
			// "mailto:" before our own mark is not a link to an address.
			if found := links.FindAllString(strings.ReplaceAll(text, "\u2069", ""), -1); found != nil {
				t.Fatalf("links %q in the %s of %q", found, form, typed.String())
			}
		}
	}
}

func TestOrdinaryWordsStayAsTyped(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"J.R.R. Tolkien", "Dr. K.H. Lüdenscheidt e.V.", "See p.5, z.B. the Ph.D. party", "24.Dezember", "Oh no :/", "a :/ b", "Dr.Smith", "e.g. i.e. a.m. U.S.A. d.h.", "24.12.2026",
		"Re:hello", "o:) xD:D <3:3", "Wow...Really", "v1.2 §3.4", "¯\\_(ツ)_/¯", "C:\\x", "Meet me@5", "St.Gallen", "Bernd a.d.Elbe", "now::then?",
		"Tom & Jerry: 5 < 6, at 5:30, for 3.50 (or 1.000,00) on 1.2.2027 at 10:30:15.", "Wow... Really?! Yes!", "Dr. No", `She said "go."`, "100% – ½ 🎁", "¿Qué tal?", "C'est l'été.", "你好。再见。",
	} {
		g := gift()
		g.Note = typed
		content := compose(t, load(t, ""), g)
		_, seen := page(t, content.HTML)
		if !strings.Contains(seen, typed) || !strings.Contains(content.Text, typed) || !strings.Contains(content.SMS, typed) {
			t.Errorf("%q became\n%s", typed, content.Text)
		}
	}
}

func TestDirectionsAreKeptApart(t *testing.T) {
	t.Parallel()
	g := gift()
	g.Sender, g.Note = "שירה", "מזל טוב"
	content := compose(t, load(t, ""), g)
	if !strings.HasPrefix(content.Subject, "\u2068שירה\u2069 sent you") || !strings.Contains(content.Text, "> \u2068מזל טוב\u2069\n") {
		t.Errorf("subject %q, text\n%s", content.Subject, content.Text)
	}
	if !strings.Contains(content.HTML, "<bdi>שירה</bdi>") || !strings.Contains(content.HTML, `<div dir="auto">מזל טוב</div>`) {
		t.Error("the HTML does not isolate")
	}
}
