package workbook_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"giftcards/server/workbook"
)

// TestAWorkbookIsWrittenAsItsRowsComeIn, and rows need no memory beyond that of the compressor.
//
//nolint:paralleltest // it counts the bytes that the whole process allocates
func TestAWorkbookIsWrittenAsItsRowsComeIn(t *testing.T) {
	var out counter
	book, err := workbook.New(&out, []workbook.Column{{Name: "Number", Width: 20}, {Name: "Code", Width: 10}}, false)
	if err != nil {
		t.Fatal(err)
	}
	number, code, line := []byte("9000123456789012"), []byte("000042"), make([]byte, 0, 1024)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rows = 200_000
	for row := 2; row <= rows; row++ {
		line = workbook.AppendRow(line[:0], row, number, code)
		if _, err := book.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if out == 0 {
		t.Error("nothing was written before the end")
	}
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d rows, %d bytes of file: %d bytes were allocated", rows, out, used)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func TestAWorkbookHasOneTo26Columns(t *testing.T) {
	t.Parallel()
	for count, good := range map[int]bool{0: false, 1: true, 26: true, 27: false} {
		if _, err := workbook.New(io.Discard, make([]workbook.Column, count), false); (err == nil) != good {
			t.Errorf("%d columns: %v", count, err)
		}
	}
}

// failing is a writer that fails after as many bytes as its value.
type failing int

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if *f -= failing(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAnErrorOfTheWriterEndsTheWorkbook(t *testing.T) {
	t.Parallel()
	rows := bytes.Repeat([]byte(strings.Repeat("x", 1000)), 10)
	var whole counter
	if err := writeTo(&whole, rows); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < int(whole); room += 100 {
		out := failing(room)
		if err := writeTo(&out, rows); !errors.Is(err, errFull) {
			t.Fatalf("room for %d bytes of %d: %v", room, whole, err)
		}
	}
}

func writeTo(w io.Writer, rows []byte) error {
	book, err := workbook.New(w, []workbook.Column{{Name: "Number", Width: 20}}, false)
	if err != nil {
		return err
	}
	if _, err := book.Write(rows); err != nil {
		return err
	}
	return book.Close()
}
