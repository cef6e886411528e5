package text

import "strings"

// elements are the names of the elements that a browser knows, in lower case: those of HTML
// (also the obsolete ones that its standard lists), of SVG 1.1 and 2, and of MathML 3's
// presentation. MathML's other names, such as "plus" and "and", are words.
var elements = words(`
a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body br
button canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl
dt element em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head
header hgroup hr html i iframe image img input ins isindex kbd keygen label legend li link listing main map mark
marquee menu menuitem meta meter multicol nav nextid nobr noembed noframes noscript object ol optgroup option
output p param picture plaintext pre progress q rb rbc rp rt rtc ruby s samp script search section
select selectedcontent slot small source spacer span strike strong style sub summary sup table tbody td template
textarea tfoot th thead time title tr track tt u ul var video wbr xmp

altglyph altglyphdef altglyphitem animate animatecolor animatemotion animatetransform circle clippath
color-profile cursor defs desc discard ellipse feblend fecolormatrix fecomponenttransfer fecomposite feconvolvematrix
fediffuselighting fedisplacementmap fedistantlight fedropshadow feflood fefunca fefuncb fefuncg fefuncr fegaussianblur
feimage femerge femergenode femorphology feoffset fepointlight fespecularlighting fespotlight fetile feturbulence
filter font-face font-face-format font-face-name font-face-src font-face-uri foreignobject g glyph glyphref
hatch hatchpath hkern line lineargradient marker mask mesh meshgradient meshpatch meshrow metadata
missing-glyph mpath path pattern polygon polyline radialgradient rect set solidcolor stop svg switch symbol
text textpath tref tspan use view vkern

annotation annotation-xml maction maligngroup malignmark math menclose merror mfenced mfrac mglyph mi mlabeledtr mlongdiv
mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mscarries mscarry msgroup msline mspace msqrt msrow
mstack mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics`)

// flags are the attributes that mean something without a value.
var flags = words(`
allowfullscreen async autofocus autoplay checked compact controls declare default defer disabled download
formnovalidate hidden inert ismap itemscope loop multiple muted nohref nomodule noresize noshade novalidate nowrap open
playsinline popover readonly required reversed selected shadowrootclonable sortable truespeed`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// isFlag reports whether an attribute means something without a value.
func isFlag(attribute string) bool { return flags[strings.ToLower(attribute)] }

// isElement reports whether a name, in lower case, is that of a known element or of a custom
// one such as my-button.
func isElement(name string) bool {
	if elements[name] {
		return true
	}
	custom := false
	for i := range len(name) {
		c := name[i]
		if !letter(c) && c < 0x80 && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
		custom = custom || c == '-'
	}
	return custom
}
