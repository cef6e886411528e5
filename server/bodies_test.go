package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
)

// bulkFront is a server without time limits on its connections, which tells when it
// begins to read a large body.
type bulkFront struct {
	*servertest.Server
	t        testing.TB
	merchant *servertest.Merchant
	path     string
	reading  chan struct{}
}

func newBulkFront(t *testing.T, wait time.Duration, change ...func(*server.Options)) *bulkFront {
	t.Helper()
	var options server.Options
	f := &bulkFront{t: t, reading: make(chan struct{}, 100)}
	f.Server = servertest.New(t, func(o *server.Options) {
		o.LargeBodyWait = wait
		for _, do := range change {
			do(o)
		}
		options = *o
	})
	handler, err := server.New(options)
	must(t, err)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == f.merchant.Cards()+"/bulk" {
			r.Body = &toldBody{ReadCloser: r.Body, reading: f.reading, large: r.ContentLength >= 1<<20}
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	f.merchant = f.Merchant()
	f.path = front.URL + f.merchant.Cards() + "/bulk"
	return f
}

// toldBody tells of its first byte read, or of the one that makes it large.
type toldBody struct {
	io.ReadCloser
	reading chan<- struct{}
	large   bool
	read    int
	told    bool
}

func (b *toldBody) Read(p []byte) (int, error) {
	if !b.told && (b.large || b.read >= 1<<20) {
		b.told = true
		b.reading <- struct{}{}
	}
	n, err := b.ReadCloser.Read(p)
	b.read += n
	return n, err
}

// begin sends a request, of a known length or in chunks, all but its end. finish
// sends the end and returns the answer.
func (f *bulkFront) begin(ctx context.Context, body string, chunked bool) (finish func() servertest.Answer) {
	f.t.Helper()
	out, in := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.path, out)
	must(f.t, err)
	if !chunked {
		r.ContentLength = int64(len(body))
	}
	r.Header.Set("Authorization", "Bearer "+f.merchant.Token)
	answers := make(chan servertest.Answer, 1)
	go func() {
		response, err := f.HTTP().Do(r)
		if err != nil { // cancelled
			answers <- servertest.Answer{}
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answers <- servertest.Answer{Status: response.StatusCode, Header: response.Header, Body: text}
	}()
	go func() { _, _ = io.WriteString(in, body[:len(body)-1]) }()
	return func() servertest.Answer {
		go func() { // nobody may be reading any more
			_, _ = io.WriteString(in, body[len(body)-1:])
			_ = in.Close()
		}()
		return <-answers
	}
}

// send sends a whole request.
func (f *bulkFront) send(body string) servertest.Answer {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.path, strings.NewReader(body))
	must(f.t, err)
	r.Header.Set("Authorization", "Bearer "+f.merchant.Token)
	return f.Send(r)
}

// largeRequest asks for count cards in 3 MiB.
func largeRequest(count string) string {
	return `{"initialValue": 5, "count": ` + count + `, "padding": "` + strings.Repeat("x", 3<<20) + `"}`
}

// TestALargeBodyWaitsForTheOneBeforeIt while small ones pass.
func TestALargeBodyWaitsForTheOneBeforeIt(t *testing.T) {
	t.Parallel()
	for name, chunked := range map[string]bool{"of known length": false, "in chunks": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newBulkFront(t, time.Minute)
			first := f.begin(t.Context(), largeRequest("1"), chunked)
			<-f.reading
			second := f.begin(t.Context(), largeRequest("1"), chunked)
			if small := f.send(`{"initialValue": 5, "count": 1}`); small.Status != http.StatusCreated {
				t.Errorf("a small request meanwhile: %d %s", small.Status, small.Body)
			}
			if len(f.reading) > 0 {
				t.Error("the second body is read while the first is being served")
			}
			for _, finish := range []func() servertest.Answer{first, second} {
				if answer := finish(); answer.Status != http.StatusCreated {
					t.Errorf("answer %d %.200s", answer.Status, answer.Body)
				}
			}
			if len(f.reading) != 1 {
				t.Error("the second body was not seen as large")
			}
		})
	}
}

// TestALargeBodyThatWaitsForLongIsTurnedAway with a time to come back.
func TestALargeBodyThatWaitsForLongIsTurnedAway(t *testing.T) {
	t.Parallel()
	f := newBulkFront(t, 10*time.Millisecond)
	first := f.begin(t.Context(), largeRequest("1"), false)
	<-f.reading
	answer := f.send(largeRequest("1"))
	var body struct{ Detail string }
	must(t, json.NewDecoder(bytes.NewReader(answer.Body)).Decode(&body))
	if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || body.Detail != "Too many large requests at once" {
		t.Errorf("answer %d, Retry-After %q, %s", answer.Status, answer.Header.Get("Retry-After"), answer.Body)
	}
	if answer := first(); answer.Status != http.StatusCreated {
		t.Errorf("the first one's answer: %d %.200s", answer.Status, answer.Body)
	}
}

// TestTheSlotOfALargeBodyIsGivenBack however its request ends: the next one would
// be turned away.
func TestTheSlotOfALargeBodyIsGivenBack(t *testing.T) {
	t.Parallel()
	f := newBulkFront(t, 20*time.Second, func(o *server.Options) { o.Jobs = nil })
	for name, end := range map[string]func(){
		"refused": func() {
			if answer := f.send(largeRequest("-1")); answer.Status != http.StatusUnprocessableEntity {
				t.Errorf("answer %d", answer.Status)
			}
		},
		"not JSON": func() {
			if answer := f.send(strings.Repeat("[", 2<<20)); answer.Status != http.StatusUnprocessableEntity {
				t.Errorf("answer %d", answer.Status)
			}
		},
		"panicked": func() {
			if answer := f.send(largeRequest("51")); answer.Status != http.StatusInternalServerError { // without jobs
				t.Errorf("answer %d", answer.Status)
			}
		},
		"hung up": func() {
			ctx, hangUp := context.WithCancel(t.Context())
			finish := f.begin(ctx, largeRequest("1"), false)
			<-f.reading
			hangUp()
			finish()
		},
		"hung up in a chunk": func() {
			ctx, hangUp := context.WithCancel(t.Context())
			finish := f.begin(ctx, largeRequest("1"), true)
			<-f.reading
			hangUp()
			finish()
		},
	} {
		end()
		if answer := f.send(largeRequest("1")); answer.Status != http.StatusCreated {
			t.Errorf("%s: the next one's answer: %d %.200s", name, answer.Status, answer.Body)
		}
		for len(f.reading) > 0 {
			<-f.reading
		}
	}
}

// TestACompressedBodyIsA415 once it is known who sends it, and before it is judged.
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
