package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"giftcards/openapi"
	"giftcards/server"
	"giftcards/server/servertest"
)

// TestAPathOfTheBaseURLIsHonouredEverywhere: each address in an answer leads back to the server,
// whether the proxy strips the path or passes it on.
func TestAPathOfTheBaseURLIsHonouredEverywhere(t *testing.T) {
	t.Parallel()
	const base = "https://shop.example/cards-api"
	s := servertest.New(t, func(o *server.Options) { o.BaseURL = base })
	m := s.Merchant()
	documents := map[string][]byte{} // by path; both prefixes get the same
	for name, prefix := range map[string]string{"stripped": "", "passed on": "/cards-api"} {
		// follow requests an address as a client of the proxy would.
		follow := func(from, reference string) servertest.Answer {
			t.Helper()
			u, err := url.Parse(base + from)
			must(t, err)
			if u, err = u.Parse(reference); err != nil || !strings.HasPrefix(u.String(), base+"/") {
				t.Errorf("%s: %s leads to %s, %v", name, from, u, err)
				return servertest.Answer{Header: http.Header{}}
			}
			return m.Do(http.MethodGet, prefix+strings.TrimPrefix(u.EscapedPath(), "/cards-api"), nil, nil)
		}
		accepted := m.Do(http.MethodPost, prefix+m.Cards()+"/bulk", jsonHeader, []byte(`{"initialValue":5,"count":51}`))
		if poll := follow(m.Cards()+"/bulk", accepted.Header.Get("Location")); accepted.Status != http.StatusAccepted || poll.Status != http.StatusOK {
			t.Errorf("%s: task %d, poll %d", name, accepted.Status, poll.Status)
		}
		issued := m.Do(http.MethodPost, prefix+m.Cards()+"/bulk", jsonHeader, []byte(`{"initialValue":5,"count":1}`))
		var link struct{ CsvDownloadURL string }
		must(t, json.Unmarshal(issued.Body, &link))
		if csv := follow("", link.CsvDownloadURL); csv.Status != http.StatusOK {
			t.Errorf("%s: CSV %d", name, csv.Status)
		}
		for _, root := range []string{prefix + "/", prefix} {
			if root == "" {
				continue
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+root, nil)
			must(t, err)
			response, err := http.DefaultTransport.RoundTrip(r) // follows no redirect
			must(t, err)
			must(t, response.Body.Close())
			if page := follow("/", response.Header.Get("Location")); response.StatusCode != http.StatusFound || page.Status != http.StatusOK {
				t.Errorf("%s: %s answers %d, what it leads to %d", name, root, response.StatusCode, page.Status)
			}
		}
		for _, at := range []string{"/docs", "/docs/"} {
			page := m.Do(http.MethodGet, prefix+at, nil, nil)
			addresses := regexp.MustCompile(`(?:src|href|data-document)="([^"]*)"`).FindAllStringSubmatch(string(page.Body), -1)
			if len(addresses) < 4 {
				t.Errorf("%s: the page has the addresses %v", name, addresses)
			}
			for _, address := range addresses {
				if strings.HasPrefix(address[1], "data:") {
					continue
				}
				if part := follow(at, address[1]); part.Status != http.StatusOK {
					t.Errorf("%s: %s of the page at %s: %d", name, address[1], at, part.Status)
				}
			}
		}
		for path, original := range map[string][]byte{"/openapi-complete.json": openapi.Complete, "/openapi-sdk.json": openapi.SDK} {
			document := m.Do(http.MethodGet, prefix+path, nil, nil).Body
			if other, ok := documents[path]; ok {
				if !bytes.Equal(document, other) {
					t.Errorf("%s: %s is not as with the other prefix", name, path)
				}
				continue
			}
			documents[path] = document
			var got, want map[string]any
			must(t, json.Unmarshal(document, &got))
			must(t, json.Unmarshal(original, &want))
			servers := got["servers"].([]any)
			if servers[0].(map[string]any)["url"] != base || len(servers) != len(want["servers"].([]any))+1 {
				t.Errorf("%s: %s names the servers %v", name, path, servers)
			}
			got["servers"], want["servers"] = nil, nil
			if mustJSON(t, got) != mustJSON(t, want) {
				t.Errorf("%s: %s differs in more than the servers", name, path)
			}
		}
		if published := m.Do(http.MethodGet, prefix+"/openapi.json", nil, nil); !bytes.Equal(published.Body, openapi.Published) {
			t.Errorf("%s: the published document is not served byte for byte", name)
		}
		if elsewhere := m.Do(http.MethodGet, "/cards-apis/healthz", nil, nil); elsewhere.Status != http.StatusNotFound {
			t.Errorf("a path that only begins alike: %d", elsewhere.Status)
		}
	}
}
