package sandbox_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"giftcards/server"
)

// TestThePageLoadsFromThisServerOnly, at both of its addresses, below any path of a proxy.
// `make sandbox-page` uses it in a browser.
func TestThePageLoadsFromThisServerOnly(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.BaseURL = "https://shop.example/cards" })
	for _, prefix := range []string{"", "/cards"} {
		for at, below := range map[string]string{"/sandbox": "/sandbox/", "/sandbox/": "/sandbox/./"} {
			page := b.want(http.StatusOK, http.MethodGet, prefix+at, "", "")
			policy := page.header.Get("Content-Security-Policy")
			if page.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: %v", at, page.header)
			}
			addresses := regexp.MustCompile(`(?:src|href|data-root)="([^"]*)"`).FindAllStringSubmatch(string(page.body), -1)
			if len(addresses) < 8 {
				t.Errorf("%s: the addresses are %v", at, addresses)
			}
			root := strings.TrimPrefix(below, "/sandbox/")
			for _, address := range addresses {
				file, isOwn := strings.CutPrefix(strings.Replace(address[1], "sandbox/", root, 1), root)
				if address[1] == "data:," || strings.HasPrefix(address[1], "#") || file == "" {
					continue
				}
				if !isOwn || strings.Contains(file, "//") {
					t.Errorf("%s: %s leads elsewhere", at, address[1])
					continue
				}
				path := prefix + "/sandbox/" + file
				if rest, up := strings.CutPrefix(file, "../"); up {
					path = prefix + "/" + rest
				}
				got := b.want(http.StatusOK, http.MethodGet, path, "", "")
				if tag := got.header.Get("ETag"); strings.HasSuffix(file, ".js") || strings.HasSuffix(file, ".css") {
					b.want(http.StatusNotModified, http.MethodGet, path, "", "", "If-None-Match: "+tag)
				}
			}
			b.want(http.StatusOK, http.MethodHead, prefix+at, "", "")
		}
		if got := b.send(http.MethodPost, prefix+"/sandbox/page.js", "", ""); got.status != http.StatusMethodNotAllowed {
			t.Errorf("a POST of the script: %d", got.status)
		}
	}
}
