package main

import "regexp"

// subjectClause is the beginning of a sentence that has a clause as its subject.
var subjectClause = regexp.MustCompile(`^(Who|Whoever|What|Whatever|Those who|Those that|Those whose)\s`)

// sinceForBecause is "since" where it cannot be about time.
var sinceForBecause = regexp.MustCompile(`(,\s+since\s|^Since\s)`)

// sentenceEnd is a full stop, a colon or a semicolon before the next sentence.
var sentenceEnd = regexp.MustCompile(`[.:;!?]\s+`)

// judgeText judges lines of prose. A paragraph ends at an empty line.
func judgeText(file string, lines []line) []finding {
	var findings []finding
	start := true // a new paragraph begins, and with it a sentence
	for i, l := range lines {
		if l.text == "" {
			start = true
			continue
		}
		for _, s := range sentences(l.text, start) {
			if s.starts && subjectClause.MatchString(s.text) && !isQuestion(lines[i:], s.text) {
				findings = append(findings, finding{file, l.number, "a clause is the subject of this sentence; name the subject: " + s.text})
			}
			if sinceForBecause.MatchString(s.text) && (s.starts || s.text[0] != 'S') {
				findings = append(findings, finding{file, l.number, `write "because" for a reason: ` + s.text})
			}
		}
		start = sentenceEnd.MatchString(l.text[max(0, len(l.text)-1):] + " ")
	}
	return findings
}

// sentence is a part of a line. It starts a sentence, or goes on with one of the
// line before.
type sentence struct {
	text   string
	starts bool
}

func sentences(text string, starts bool) []sentence {
	var parts []sentence
	for _, end := range sentenceEnd.FindAllStringIndex(text, -1) {
		from := 0
		for _, p := range parts {
			from += len(p.text)
		}
		parts = append(parts, sentence{text[from:end[1]], starts})
		starts = true
	}
	from := 0
	for _, p := range parts {
		from += len(p.text)
	}
	if from < len(text) {
		parts = append(parts, sentence{text[from:], starts})
	}
	return parts
}

// isQuestion reports whether the sentence that begins with text ends with a
// question mark, here or on the next two lines.
func isQuestion(lines []line, text string) bool {
	end := regexp.MustCompile(`[.?!]`)
	for i, l := range lines[:min(3, len(lines))] {
		rest := l.text
		if i == 0 {
			rest = text
		}
		if at := end.FindString(rest); at != "" {
			return at == "?"
		}
	}
	return false
}
