package server_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/storetest/full"
)

// sheet is a worksheet as ECMA-376 defines it.
type sheet struct {
	Views []struct {
		Mirrored bool `xml:"rightToLeft,attr"`
		Pane     struct {
			Rows  string `xml:"ySplit,attr"`
			State string `xml:"state,attr"`
		} `xml:"pane"`
	} `xml:"sheetViews>sheetView"`
	Columns []struct {
		Width float64 `xml:"width,attr"`
	} `xml:"cols>col"`
	Rows []struct {
		Number int `xml:"r,attr"`
		Cells  []struct {
			Place string `xml:"r,attr"`
			Type  string `xml:"t,attr"`
			Style int    `xml:"s,attr"`
			Text  string `xml:"is>t"`
			Value string `xml:"v"`
		} `xml:"c"`
	} `xml:"sheetData>row"`
}

// styles are the styles that cells refer to.
type styles struct {
	Fonts []struct {
		Bold *struct{} `xml:"b"`
	} `xml:"fonts>font"`
	Formats []struct {
		Number int `xml:"numFmtId,attr"`
		Font   int `xml:"fontId,attr"`
	} `xml:"cellXfs>xf"`
}

// part decodes a part of a workbook.
func part(t *testing.T, book []byte, name string, into any) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	file, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(file) // also compares the checksum
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// issuedCSV issues cards by a task. It returns the link to their files, and the lines of the CSV.
func issuedCSV(t *testing.T, s *servertest.Server, m *servertest.Merchant, cards int) (link string, lines [][]string) {
	t.Helper()
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "25"), Count: &cards}).JSON202.TaskId
	link = *pollToEnd(t, m, task).CsvDownloadUrl
	lines, err := csv.NewReader(bytes.NewReader(get(t, s, link).Body)).ReadAll()
	if err != nil || len(lines) != cards+1 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	return link, lines
}

// TestAWorkbookHasEveryNumberAndCodeAsText in the order of the CSV: a spreadsheet reads no cell as a
// number, so no digit is lost.
func TestAWorkbookHasEveryNumberAndCodeAsText(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	link, want := issuedCSV(t, s, s.Merchant(), full.Size(12_000, 500)) // all are more than a page of the database
	answer := get(t, s, link+"?format=xlsx")
	if answer.Status != http.StatusOK || answer.Header.Get("Content-Disposition") != `attachment; filename="gift-cards.xlsx"` ||
		answer.Header.Get("Content-Type") != "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" || answer.Header.Get("Vary") != "Accept" {
		t.Fatalf("%d %v", answer.Status, answer.Header)
	}
	var got sheet
	var style styles
	part(t, answer.Body, "xl/worksheets/sheet1.xml", &got)
	part(t, answer.Body, "xl/styles.xml", &style)
	if len(got.Rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(got.Rows), len(want))
	}
	const textFormat = 49 // "@" of ECMA-376, 18.8.30
	for i, row := range got.Rows {
		var texts []string
		for column, cell := range row.Cells {
			texts = append(texts, cell.Text)
			format := style.Formats[cell.Style]
			if cell.Type != "inlineStr" || cell.Value != "" || format.Number != textFormat || (style.Fonts[format.Font].Bold != nil) != (i == 0) ||
				cell.Place != fmt.Sprintf("%c%d", 'A'+column, i+1) || row.Number != i+1 {
				t.Fatalf("row %d has the cell %+v of format %+v", i+1, cell, format)
			}
		}
		if i > 0 && !slices.Equal(texts, want[i]) {
			t.Fatalf("row %d is %q, want %q", i+1, texts, want[i])
		}
	}
	if header := got.Rows[0].Cells; header[0].Text != "Card number" || header[1].Text != "Security code" {
		t.Errorf("the header is %+v", header)
	}
	if len(got.Views) != 1 || got.Views[0].Pane.Rows != "1" || got.Views[0].Pane.State != "frozen" || len(got.Columns) != len(want[0]) || got.Columns[0].Width < 16 {
		t.Errorf("%+v %+v", got.Views, got.Columns)
	}
}

// TestAWorkbookIsADownloadLikeTheCSV: it is audited and counted, and refused when the link has
// ended.
func TestAWorkbookIsADownloadLikeTheCSV(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.LinkDownloads = 2 })
	m := s.Merchant()
	few := 3
	link := *bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "25"), Count: &few}).JSON201.CsvDownloadUrl
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		if answer := get(t, s, link+"?format=xlsx"); answer.Status != want {
			t.Errorf("download %d: %d %.60s", i+1, answer.Status, answer.Body)
		}
	}
	if n := downloads(t, s, m); n != 2 {
		t.Errorf("%d downloads are in the audit log, want 2", n)
	}
	if answer := get(t, s, s.URL+"/v2/giftcards/downloads/never?format=xlsx"); answer.Status != http.StatusForbidden {
		t.Errorf("a link that never was: %d", answer.Status)
	}
}

// downloads returns the number of a merchant's downloads in the audit log.
func downloads(t *testing.T, s *servertest.Server, m *servertest.Merchant) (n int) {
	t.Helper()
	for _, entry := range audited(t, s, m.ID) {
		if entry.Operation == "downloadGiftCards" {
			n++
		}
	}
	return n
}

// TestMoreCardsThanASheetHoldsAreNoWorkbook: the request gets a 422 that says how many cards there
// may be, before a download is counted. The page offers only the CSV.
func TestMoreCardsThanASheetHoldsAreNoWorkbook(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	few := 3
	link := *bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "25"), Count: &few}).JSON201.CsvDownloadUrl
	at, name, _ := strings.Cut(link, "/downloads/")
	signed, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil {
		t.Fatal(err)
	}
	payload := signed[5+16:] // after the key's name and the tag
	many := func(count uint32) string {
		binary.BigEndian.PutUint32(payload[12+8+12+12:], count)
		return at + "/downloads/" + s.Keys.SignLink(payload)
	}
	refused := get(t, s, many(1<<20)+"?format=xlsx")
	want := `{"detail":[{"type":"value_error","loc":["query","format"],"msg":"Value error, a workbook holds at most 1048575 cards; use csv","input":"xlsx","ctx":{"error":{}}}]}`
	if refused.Status != http.StatusUnprocessableEntity || strings.TrimSpace(string(refused.Body)) != want {
		t.Errorf("%d %s, want %s", refused.Status, refused.Body, want)
	}
	if n := downloads(t, s, m); n != 0 {
		t.Errorf("%d downloads are in the audit log", n)
	}
	for count, offered := range map[uint32]bool{1<<20 - 1: true, 1 << 20: false} {
		page := browse(t, s, many(count))
		if page.Status != http.StatusOK || strings.Contains(string(page.Body), `href="?format=xlsx"`) != offered || !strings.Contains(string(page.Body), `href="?format=csv"`) {
			t.Errorf("the page of %d cards: %d %s", count, page.Status, page.Body)
		}
	}
}

// TestAnUnknownFormatIsRefusedLikeAWrongLiteral, in Pydantic's words.
func TestAnUnknownFormatIsRefusedLikeAWrongLiteral(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	few := 3
	link := *bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "25"), Count: &few}).JSON201.CsvDownloadUrl
	for _, format := range []string{"pdf", "XLSX", ""} {
		want := fmt.Sprintf(`{"detail":[{"type":"literal_error","loc":["query","format"],"msg":"Input should be 'csv' or 'xlsx'","input":%q,"ctx":{"expected":"'csv' or 'xlsx'"}}]}`, format)
		answer := get(t, s, link+"?format="+format)
		if answer.Status != http.StatusUnprocessableEntity || strings.TrimSpace(string(answer.Body)) != want {
			t.Errorf("%q: %d %s, want %s", format, answer.Status, answer.Body, want)
		}
	}
	if n := downloads(t, s, m); n != 0 {
		t.Errorf("%d downloads are in the audit log", n)
	}
}
