package validate_test

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"giftcards/openapi"
	"giftcards/server/validate"
)

const (
	createPath = "/v2/giftcards/programs/{programId}/cards"
	bulkPath   = createPath + "/bulk"
)

// createBody is a usual request of about 340 bytes.
const createBody = `{"initialValue": "25.00", "merchantId": "5eb7cf5a86d9755df3a6c594",` +
	` "customerEmail": "maria.example@Mail.example.com", "customerPhone": "+14155552671",` +
	` "customerName": "Maria Example", "senderName": "Jo Example", "expiresAt": "2029-06-01T00:00:00Z",` +
	` "designTemplate": "birthday-2029", "customMessage": "Happy birthday, and many more to come!"}`

// amount stands for money.Amount, with the same method for Decode.
type amount struct{ text string }

func (a *amount) UnmarshalText(text []byte) error {
	a.text = string(text)
	return nil
}

type createRequest struct {
	CustomMessage  *string    `json:"customMessage,omitempty"`
	CustomerEmail  *string    `json:"customerEmail,omitempty"`
	CustomerName   *string    `json:"customerName,omitempty"`
	CustomerPhone  *string    `json:"customerPhone,omitempty"`
	DeliverAt      *time.Time `json:"deliverAt,omitempty"`
	DesignTemplate *string    `json:"designTemplate,omitempty"`
	ExpiresAt      *time.Time `json:"expiresAt,omitempty"`
	InitialValue   amount     `json:"initialValue"`
	IsPhysical     bool       `json:"isPhysical,omitempty"`
	MerchantID     string     `json:"merchantId"`
	SenderName     *string    `json:"senderName,omitempty"`
}

type recipient struct {
	CustomMessage *string `json:"customMessage,omitempty"`
	CustomerEmail *string `json:"customerEmail,omitempty"`
	CustomerName  *string `json:"customerName,omitempty"`
	CustomerPhone *string `json:"customerPhone,omitempty"`
	SenderName    *string `json:"senderName,omitempty"`
}

type bulkRequest struct {
	Count          *int        `json:"count,omitempty"`
	DesignTemplate *string     `json:"designTemplate,omitempty"`
	ExpiresAt      *time.Time  `json:"expiresAt,omitempty"`
	InitialValue   amount      `json:"initialValue"`
	IsPhysical     bool        `json:"isPhysical,omitempty"`
	Recipients     []recipient `json:"recipients,omitempty"`
}

func post(t testing.TB, path string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func programID(string) string { return "5eb7cf5a86d9755df3a6c593" }

func operation(t testing.TB, path string) *validate.Operation {
	t.Helper()
	o, ok := compile(t, cardRules()).Operation(http.MethodPost, path)
	if !ok {
		t.Fatal("no operation ", path)
	}
	return o
}

// BenchmarkCreate validates a usual create request. Its body is in memory.
func BenchmarkCreate(b *testing.B) {
	o := operation(b, createPath)
	r := post(b, createPath, nil)
	body := []byte(createBody)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := o.Validate(r, programID, body); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

// BenchmarkCreateWithoutPhone is BenchmarkCreate without a phone number, and so without the
// time in libphonenumber.
func BenchmarkCreateWithoutPhone(b *testing.B) {
	o := operation(b, createPath)
	r := post(b, createPath, nil)
	body := bytes.Replace([]byte(createBody), []byte(` "customerPhone": "+14155552671",`), nil, 1)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := o.Validate(r, programID, body); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

// BenchmarkCreateAndDecode is BenchmarkCreate and decoding into the handler's struct.
func BenchmarkCreateAndDecode(b *testing.B) {
	o := operation(b, createPath)
	r := post(b, createPath, nil)
	body := []byte(createBody)
	b.ReportAllocs()
	for b.Loop() {
		request, errs := o.Validate(r, programID, body)
		if len(errs) > 0 {
			b.Fatal(errs)
		}
		var dst createRequest
		if err := request.Decode(&dst); err != nil {
			b.Fatal(err)
		}
	}
}

func manyRecipients(count int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"initialValue": 25, "recipients": [`)
	for i := range count {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"customerEmail": "recipient%06d@mail.example.com", "customerPhone": "+1415555%04d",`+
			` "customerName": "Recipient Number %d", "senderName": "Jo Example", "customMessage": "Happy birthday, recipient %d!"}`,
			i, 1000+i%9000, i, i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// BenchmarkBulk100k reads, validates and decodes 100,000 recipients. It reports the memory that
// is in use afterwards, including the body, in multiples of the body's size.
func BenchmarkBulk100k(b *testing.B) {
	o := operation(b, bulkPath)
	before := inUse()
	body := manyRecipients(100_000)
	r := post(b, bulkPath, nil)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		request, errs := o.Validate(r, programID, body)
		if len(errs) > 0 {
			b.Fatal(errs)
		}
		var dst bulkRequest
		if err := request.Decode(&dst); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		b.ReportMetric(float64(inUse()-before)/float64(len(body)), "bodies-in-use")
		runtime.KeepAlive(request)
		runtime.KeepAlive(dst)
		b.StartTimer()
	}
}

// inUse returns the memory in use after a garbage collection.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkKin lets kin-openapi validate the same create request, by the document as it is and
// by the document read as OpenAPI 3.0.
func BenchmarkKin(b *testing.B) {
	// Go has no lookahead. For this request the pattern means the same without it.
	raw := bytes.ReplaceAll(openapi.Complete, []byte(`(?!^[-+.]*$)`), nil)
	for _, version := range []string{"3.1.0", "3.0.3"} {
		b.Run(version[:3], func(b *testing.B) {
			doc, err := openapi3.NewLoader().LoadFromData(raw)
			if err != nil {
				b.Fatal(err)
			}
			doc.OpenAPI = version
			body := []byte(createBody)
			b.ReportAllocs()
			for b.Loop() {
				item := doc.Paths.Find(createPath)
				input := &openapi3filter.RequestValidationInput{
					Request:    post(b, createPath, body),
					PathParams: map[string]string{"programId": programID("")},
					Options:    &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
				}
				input.Route = &routers.Route{Spec: doc, Path: createPath, PathItem: item, Method: http.MethodPost, Operation: item.Post}
				if err := openapi3filter.ValidateRequest(b.Context(), input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
