// Package workbook writes a table of texts as an Excel workbook (Office Open XML, ECMA-376). It
// writes each row when the row comes in, so it needs little memory and no file. It does not know
// what the texts mean.
package workbook

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// MediaType is the media type of a workbook.
const MediaType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// MaxRows is the number of rows of a sheet in Excel, including the header.
const MaxRows = 1 << 20

// maxColumns is the number of columns whose name is one letter.
const maxColumns = 26

// Column is a column of the sheet. Its name is in the header row. Its width is in characters.
type Column struct {
	Name  string
	Width int
}

// Writer writes a workbook of one sheet. Write takes rows that AppendRow made, in their
// order from row 2.
type Writer struct {
	archive *zip.Writer
	sheet   io.Writer
}

// New writes a workbook without its rows to w. The header row is bold and stays in sight. If
// mirrored is set, the first column is at the right. New fails with the error of w, or if there are
// more than 26 columns.
func New(w io.Writer, columns []Column, mirrored bool) (*Writer, error) {
	if len(columns) == 0 || len(columns) > maxColumns {
		return nil, fmt.Errorf("a workbook has 1 to %d columns, not %d", maxColumns, len(columns))
	}
	// The fastest level is enough, because the rows are much alike. The parts are written one
	// after another, so they share one compressor, which takes 1.2 MB.
	deflate, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { deflate.Reset(out); return deflate, nil })
	for _, part := range parts {
		if err := add(archive, part.name, part.content); err != nil {
			return nil, err
		}
	}
	sheet, err := archive.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(sheet, sheetBegin(columns, mirrored))
	return &Writer{archive: archive, sheet: sheet}, err
}

func add(archive *zip.Writer, name, content string) error {
	part, err := archive.Create(name)
	if err == nil {
		_, err = io.WriteString(part, xmlHeader+content)
	}
	return err
}

// Write writes rows.
func (w *Writer) Write(rows []byte) (int, error) { return w.sheet.Write(rows) }

// Close ends the workbook. Without it the file cannot be opened.
func (w *Writer) Close() error {
	if _, err := io.WriteString(w.sheet, sheetEnd); err != nil {
		return err
	}
	return w.archive.Close()
}

// AppendRow appends the row with this number; the header is row 1. Each cell is text, even
// if it looks like a number, and stays text when somebody edits it. The texts must not need
// escaping in XML.
func AppendRow(line []byte, number int, texts ...[]byte) []byte {
	return appendRow(line, number, styleText, texts...)
}

func appendRow(line []byte, number int, style byte, texts ...[]byte) []byte {
	var digits [20]byte
	row := strconv.AppendInt(digits[:0], int64(number), 10)
	line = append(append(append(line, `<row r="`...), row...), `">`...)
	for i, text := range texts {
		line = append(append(append(line, `<c r="`...), byte('A'+i)), row...)
		line = append(append(append(line, `" s="`...), style), `" t="inlineStr"><is><t>`...)
		line = append(append(line, text...), `</t></is></c>`...)
	}
	return append(line, "</row>\n"...)
}

// Escape returns a text in the form in which AppendRow takes it.
func Escape(text string) []byte {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer never fails
	return b.Bytes()
}

func sheetBegin(columns []Column, mirrored bool) string {
	var b strings.Builder
	direction := ""
	if mirrored {
		direction = ` rightToLeft="1"`
	}
	b.WriteString(xmlHeader + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
		`<sheetViews><sheetView` + direction + ` workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><cols>`)
	names := make([][]byte, len(columns))
	for i, column := range columns {
		names[i] = Escape(column.Name)
		fmt.Fprintf(&b, `<col min="%d" max="%d" width="%d" style="%c" customWidth="1"/>`, i+1, i+1, column.Width, styleText)
	}
	b.WriteString("</cols><sheetData>\n")
	b.Write(appendRow(nil, 1, styleHeader, names...))
	return b.String()
}

// sheetEnd tells Excel that the digits are text on purpose. Otherwise Excel marks each cell
// as a mistake and offers to convert it to a number.
const sheetEnd = `</sheetData><ignoredErrors><ignoredError sqref="A1:Z1048576" numberStoredAsText="1"/></ignoredErrors></worksheet>`

// Styles, as styles.xml counts them. Both have the number format "@", which is text.
const (
	styleText   = '1'
	styleHeader = '2'
)

const xmlHeader = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

// parts are the same in every workbook.
var parts = []struct{ name, content string }{
	{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
		`<sheets><sheet name="Gift cards" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`},
	{"xl/styles.xml", `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
		`<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>` +
		`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
		`<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>` +
		`<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>` +
		`<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs>` +
		`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`},
}
