package validate

import (
	"math"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nested brackets. Python's decoder runs out of stack at about this depth.
const maxDepth = 1000

// syntaxError says why a body is not JSON, in the words of Python's decoder if it has any for
// the fault.
type syntaxError struct {
	position int // in code points
	reason   string
}

// scan reads a JSON text into a tape. It refuses the texts that CPython's decoder refuses, and
// also NaN, infinities and duplicate keys. It skips a byte-order mark at the start.
func scan(text string) (*tape, *syntaxError) {
	text = strings.TrimPrefix(text, "\uFEFF")
	// Python decodes the whole body before it parses, so this comes before any other fault.
	if !utf8.ValidString(text) {
		return nil, &syntaxError{validPrefix(text), "Invalid UTF-8"}
	}
	// A node has its positions in 32 bits.
	if uint64(len(text)) > math.MaxUint32 {
		return nil, &syntaxError{0, "Document too large"}
	}
	s := scanner{text: text, nodes: make([]node, 0, estimate(text))}
	end := s.value(s.space(0))
	if s.reason == "" {
		if end = s.space(end); end < len(text) {
			s.fail(end, "Extra data")
		}
	}
	if s.reason != "" {
		// Python counts characters, not bytes.
		return nil, &syntaxError{utf8.RuneCountInString(text[:s.position]), s.reason}
	}
	return &tape{text: text, nodes: s.nodes}, nil
}

// validPrefix returns the number of code points before the first byte that is not UTF-8.
func validPrefix(text string) int {
	count := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size
		count++
	}
	return count
}

// A text with more than manyNodes values must have bytesPerNode bytes for each of them. A
// million empty recipients pass, and no body costs more than three times its size to read.
const (
	manyNodes    = 1 << 21
	bytesPerNode = 8
)

// estimate guesses the number of nodes of a text. It is exact for most texts. A limit applies
// to texts of nothing but commas, so that the nodes first take at most twice the text's size.
func estimate(text string) int {
	nodes := 1
	for _, delimiter := range []string{",", ":", "[", "{"} { // a value follows each
		nodes += strings.Count(text, delimiter)
	}
	return min(nodes, len(text)/bytesPerNode+8)
}

// scanner is the state of one scan. Its methods take and return byte positions. After reason
// is set, their results have no meaning.
type scanner struct {
	text     string
	nodes    []node
	depth    int
	position int
	reason   string
}

func (s *scanner) fail(position int, reason string) int {
	s.position, s.reason = position, reason
	return position
}

func (s *scanner) space(i int) int {
	for i < len(s.text) {
		switch s.text[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value reads one value that starts at i.
func (s *scanner) value(i int) int {
	// This bounds the memory while it grows, not only after the whole text is read.
	if len(s.nodes) > manyNodes && len(s.nodes) > len(s.text)/bytesPerNode {
		return s.fail(i, "Too many values")
	}
	if i >= len(s.text) {
		return s.fail(i, "Expecting value")
	}
	switch s.text[i] {
	case '"':
		return s.string(i)
	case '{':
		return s.container(i, kindObject)
	case '[':
		return s.container(i, kindArray)
	case 'n':
		return s.word(i, "null", kindNull)
	case 't':
		return s.word(i, "true", kindTrue)
	case 'f':
		return s.word(i, "false", kindFalse)
	default:
		return s.number(i)
	}
}

func (s *scanner) add(k kind, start, end int) {
	s.nodes = append(s.nodes, node{start: uint32(start), end: uint32(end), kind: k})
}

func (s *scanner) container(start int, k kind) int {
	if s.depth++; s.depth > maxDepth {
		return s.fail(start, "Too many nested brackets")
	}
	// An index and not a pointer, because append may move the nodes.
	index := len(s.nodes)
	s.add(k, start, 0)
	i := s.space(start + 1)
	switch {
	// items and members begin with a value or a key, so they cannot read an empty container.
	case i < len(s.text) && s.text[i] == closing(k):
	case k == kindArray:
		i = s.items(i)
	default:
		i = s.members(i)
	}
	if s.reason != "" {
		return i
	}
	s.depth--
	s.nodes[index].end = uint32(i + 1)
	s.nodes[index].link = uint32(len(s.nodes))
	return i + 1
}

func closing(k kind) byte {
	if k == kindArray {
		return ']'
	}
	return '}'
}

// items reads the values of an array and returns the position of the closing bracket.
func (s *scanner) items(i int) int {
	for {
		if i = s.value(i); s.reason != "" {
			return i
		}
		i = s.space(i)
		if i < len(s.text) && s.text[i] == ']' {
			return i
		}
		if i >= len(s.text) || s.text[i] != ',' {
			return s.fail(i, "Expecting ',' delimiter")
		}
		i = s.space(i + 1)
	}
}

// members reads the keys and values of an object and returns the position of the closing
// brace.
func (s *scanner) members(i int) int {
	keys := keySet{first: len(s.nodes)}
	for {
		if i >= len(s.text) || s.text[i] != '"' {
			return s.fail(i, "Expecting property name enclosed in double quotes")
		}
		start := i
		if i = s.string(i); s.reason != "" {
			return i
		}
		// Python takes the last of duplicate keys. This package refuses them, because nobody can
		// know which of two amounts the client means.
		if keys.repeated(s) {
			return s.fail(start, "Duplicate key")
		}
		i = s.space(i)
		if i >= len(s.text) || s.text[i] != ':' {
			return s.fail(i, "Expecting ':' delimiter")
		}
		if i = s.value(s.space(i + 1)); s.reason != "" {
			return i
		}
		i = s.space(i)
		if i < len(s.text) && s.text[i] == '}' {
			return i
		}
		if i >= len(s.text) || s.text[i] != ',' {
			return s.fail(i, "Expecting ',' delimiter")
		}
		i = s.space(i + 1)
	}
}
