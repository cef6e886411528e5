package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/storetest/full"
)

// TestBodiesOfEverySizeArriveWhole, with a length and in chunks, also at the bounds between the
// size classes.
func TestBodiesOfEverySizeArriveWhole(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.BulkBodyLimit = 6 << 20 })
	m := s.Merchant()
	path := m.Cards() + "/bulk"
	sizes := []int{100, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 4<<20 + 1, 6<<20 + 1}
	if full.Asked() { // these take seconds
		sizes = append(sizes, 4<<20-1, 4<<20, 6<<20-1, 6<<20)
	}
	for _, size := range sizes {
		body := bulkBody(size, "1")
		want := http.StatusCreated
		if size > 6<<20 {
			want = http.StatusRequestEntityTooLarge
		}
		for name, reader := range map[string]io.Reader{"announced": strings.NewReader(body), "in chunks": io.MultiReader(strings.NewReader(body))} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, reader)
			must(t, err)
			r.Header.Set("Authorization", "Bearer "+m.Token)
			if answer := s.Send(r); answer.Status != want {
				t.Errorf("%d bytes, %s: %d %.200s", size, name, answer.Status, answer.Body)
			}
		}
	}
}

// TestACompressedBodyIsA415, after authentication and before the body is judged.
func TestACompressedBodyIsA415(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	valid := `{"initialValue":5,"merchantId":"` + m.ID + `"}`
	for name, c := range map[string]struct {
		path, token string
		encoding    []string
		body        string
		status      int
	}{
		"gzip":                  {m.Cards(), "", []string{"gzip"}, valid, 415},
		"gzip, of a bulk":       {m.Cards() + "/bulk", "", []string{"gzip"}, `{}`, 415},
		"gzip, of a login":      {"/v2/token", "", []string{"br"}, "username=a", 415},
		"in other letters":      {m.Cards(), "", []string{"GZip"}, valid, 415},
		"one of several":        {m.Cards(), "", []string{"identity, deflate"}, valid, 415},
		"in a second header":    {m.Cards(), "", []string{"identity", "zstd"}, valid, 415},
		"unknown":               {m.Cards(), "", []string{"x"}, "", 415},
		"identity":              {m.Cards(), "", []string{"Identity"}, valid, 201},
		"empty":                 {m.Cards(), "", []string{""}, valid, 201},
		"of a stranger":         {m.Cards(), "Bearer nonsense", []string{"gzip"}, valid, 401},
		"of nobody's program":   {strings.Replace(m.Cards(), m.ProgramID, strings.Repeat("0", 24), 1), "", []string{"gzip"}, valid, 415},
		"of a method elsewhere": {"/v2/token/logout", "", []string{"gzip"}, "", 200},
	} {
		header := http.Header{"Content-Type": jsonHeader["Content-Type"], "Content-Encoding": c.encoding}
		if c.path == "/v2/token" {
			header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if c.token != "" {
			header.Set("Authorization", c.token)
		}
		answer := m.Do(http.MethodPost, c.path, header, []byte(c.body))
		if answer.Status != c.status || c.status == 415 && string(answer.Body) != `{"detail":"Request body must be sent without Content-Encoding"}`+"\n" {
			t.Errorf("%s: %d %s, want %d", name, answer.Status, answer.Body, c.status)
		}
		if c.path == "/v2/token/logout" {
			m.Token = s.Login(m.Email, m.Password)
		}
	}
}
