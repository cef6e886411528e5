package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// longFunction is the number of lines above which a function needs a comment that
// says why it does what it does in this order.
const longFunction = 35

// judgeGo judges the comments and functions of one Go file.
func judgeGo(path string, source []byte, measured *figures) ([]finding, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	isTest := strings.HasSuffix(path, "_test.go")
	lineOf := func(p token.Pos) int { return files.Position(p).Line }
	var findings []finding
	for _, group := range file.Comments {
		lines := goComment(group, lineOf)
		found := judgeText(path, lines)
		findings = append(findings, found...)
		if !isTest {
			measured.comments(lines, found)
		}
	}
	if isTest {
		return findings, nil // a test may be long: its table explains it
	}
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		length := lineOf(function.End()) - lineOf(function.Pos()) + 1
		inside := commentsInside(file, function, lineOf)
		// The journeys of the generated clients are as long as their story.
		if !strings.HasPrefix(path, "openapi/sdk/") {
			measured.function(length, inside)
		}
		if length > longFunction && inside == 0 {
			findings = append(findings, finding{path, lineOf(function.Pos()),
				fmt.Sprintf("%s has %d lines and no comment inside; say why: the order, the lock, the race", function.Name.Name, length)})
		}
	}
	measured.file(strings.Count(string(source), "\n"))
	measured.exported(file)
	return findings, nil
}

// goComment returns a comment's lines without marks. Directives are no prose.
func goComment(group *ast.CommentGroup, lineOf func(token.Pos) int) []line {
	var lines []line
	for _, c := range group.List {
		for i, text := range strings.Split(c.Text, "\n") {
			if strings.HasPrefix(text, "//") && !strings.HasPrefix(text, "// ") {
				continue
			}
			text = strings.TrimSpace(strings.Trim(text, "/*"))
			lines = append(lines, line{lineOf(c.Pos()) + i, text})
		}
	}
	return lines
}

// commentsInside counts the comment lines in a function's body, also those behind
// code.
func commentsInside(file *ast.File, function *ast.FuncDecl, lineOf func(token.Pos) int) int {
	count := 0
	for _, group := range file.Comments {
		if group.Pos() > function.Body.Lbrace && group.End() < function.Body.Rbrace {
			count += lineOf(group.End()) - lineOf(group.Pos()) + 1
		}
	}
	return count
}
