package server_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"giftcards/gen/api"
)

// TestDashboardAlertsAndPageNameTheMetricsOfTheServer and no others. The page explains every metric.
func TestDashboardAlertsAndPageNameTheMetricsOfTheServer(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	s, m := x.s, x.m
	m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{}`))
	many := 51
	pollToEnd(t, m, bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}).JSON202.TaskId)
	x.ask(x.issue("25"), "/redeem", "", `{"amount":"1"}`) // refused, because the card is pending
	measured := map[string]bool{
		"giftcards_log_lines_lost_total": true, // by cmd/giftcards, which writes the log
	}
	for series := range s.Metrics() {
		name, _, _ := strings.Cut(series, "{")
		measured[name] = true
	}
	metric := regexp.MustCompile(`\b(giftcards|process|go)_[a-z_]+[a-z]\b`)
	queries := regexp.MustCompile(`(?s)"expr": "[^\n]*|expr: (\|.*?)?\n[^\n]*for:|expr: [^\n]*`)
	for _, file := range []string{"dashboard.json", "alerts.yaml"} {
		named := 0
		for _, query := range queries.FindAllString(read(t, "../docs/operations/"+file), -1) {
			for _, name := range metric.FindAllString(strings.ReplaceAll(query, "go_version", ""), -1) {
				if named++; !measured[name] {
					t.Errorf("%s asks for %s, which is not measured", file, name)
				}
			}
		}
		if named < 10 {
			t.Errorf("%s names %d metrics only", file, named)
		}
	}
	page := read(t, "../docs/operations.md")
	for name := range measured {
		base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "giftcards_") && !strings.Contains(page, "`"+base) {
			t.Errorf("operations.md does not explain %s", base)
		}
	}
	for _, name := range regexp.MustCompile(`giftcards_[a-z_]+[a-z]\b`).FindAllString(page, -1) {
		if !measured[name] && !measured[name+"_count"] {
			t.Errorf("operations.md explains %s, which is not measured", name)
		}
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read(t, "../docs/operations/alerts.yaml"), -1) {
		if !strings.Contains(page, "### "+alert[1]+"\n") {
			t.Errorf("operations.md does not say what to do about %s", alert[1])
		}
		if !strings.Contains(read(t, "../docs/operations/alerts_test.yaml"), "alertname: "+alert[1]+"\n") {
			t.Errorf("no test brings about %s", alert[1])
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
