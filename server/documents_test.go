package server_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"giftcards/openapi"
	"giftcards/server/servertest"
)

func TestDocumentsAreServedWithETags(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for path, document := range map[string][]byte{
		"/openapi.json": openapi.Published, "/openapi-complete.json": openapi.Complete, "/openapi-sdk.json": openapi.SDK,
	} {
		first := get(t, s, s.URL+path)
		if first.Status != http.StatusOK || !bytes.Equal(first.Body, document) || first.Header.Get("ETag") == "" {
			t.Errorf("%s: %d, %d bytes of %d", path, first.Status, len(first.Body), len(document))
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("If-None-Match", first.Header.Get("ETag"))
		if again := s.Send(r); again.Status != http.StatusNotModified || len(again.Body) != 0 {
			t.Errorf("%s again: %d, %d bytes", path, again.Status, len(again.Body))
		}
	}
	if page := get(t, s, s.URL+"/docs"); page.Status != http.StatusOK || !strings.Contains(string(page.Body), "openapi-complete.json") {
		t.Errorf("docs: %d %s", page.Status, page.Body)
	}
}
