package main

import (
	"fmt"
	"go/ast"
	"io"
	"slices"
)

// figures are the sizes and shares of the hand-written Go code without tests.
type figures struct {
	files, functions    []int // lines of each
	inside              int   // comment lines inside functions
	commented, clauses  int   // comment lines, and subject clauses among them
	names, documented   int   // exported names at the top level, and those with a comment
	longWithout, long35 int   // functions above 35 lines without a comment inside, and all
}

func (f *figures) comments(lines []line, found []finding) {
	f.commented += len(lines)
	f.clauses += len(found)
}

func (f *figures) function(length, inside int) {
	f.functions = append(f.functions, length)
	f.inside += inside
	if length > longFunction {
		f.long35++
		if inside == 0 {
			f.longWithout++
		}
	}
}

func (f *figures) file(lines int) { f.files = append(f.files, lines) }

func (f *figures) exported(file *ast.File) {
	count := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if !name.IsExported() {
			return
		}
		f.names++
		if slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d != nil }) {
			f.documented++
		}
	}
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if !hidden(d.Recv) {
				count(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					count(s.Name, d.Doc, s.Doc)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						// The comment of a group counts for each name, because it is about all.
						count(name, d.Doc, s.Doc, s.Comment)
					}
				}
			}
		}
	}
}

func (f *figures) print(w io.Writer) {
	lines := 0
	for _, n := range f.functions {
		lines += n
	}
	total := 0
	for _, n := range f.files {
		total += n
	}
	fmt.Fprintf(w, "files %d, lines %d; lines of a file p50 %d, p90 %d, longest %d\n", len(f.files), total, rank(f.files, 50), rank(f.files, 90), rank(f.files, 100))
	fmt.Fprintf(w, "functions %d; lines of a function p50 %d, p90 %d, longest %d\n", len(f.functions), rank(f.functions, 50), rank(f.functions, 90), rank(f.functions, 100))
	fmt.Fprintf(w, "comment lines inside functions: %.1f per 100 lines\n", 100*float64(f.inside)/float64(lines))
	fmt.Fprintf(w, "functions above %d lines: %d, without a comment inside: %d\n", longFunction, f.long35, f.longWithout)
	fmt.Fprintf(w, "sentences with a clause as subject, or since for because: %.1f per 1,000 comment lines\n", 1000*float64(f.clauses)/float64(f.commented))
	fmt.Fprintf(w, "exported names with a comment: %.1f %% of %d\n", 100*float64(f.documented)/float64(f.names), f.names)
}

// rank is the percentile of values, by nearest rank.
func rank(values []int, percentile int) int {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, len(sorted)*percentile/100)]
}

// hidden reports whether a method belongs to a type that other packages cannot name.
func hidden(receiver *ast.FieldList) bool {
	if receiver == nil || len(receiver.List) == 0 {
		return false
	}
	of := receiver.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	name, ok := of.(*ast.Ident)
	return ok && !name.IsExported()
}
