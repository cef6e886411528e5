package server

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"giftcards/server/telemetry"
	"giftcards/server/validate"
)

// BenchmarkMeasure runs the middleware measure without tracing, on all cores at once.
func BenchmarkMeasure(b *testing.B) {
	metrics, err := telemetry.NewMetrics("test")
	if err != nil {
		b.Fatal(err)
	}
	measured, err := newInstrumentation(Options{Meter: metrics.Meter()}, map[route]operation{
		{http.MethodPost, "/cards"}: {Operation: &validate.Operation{ID: "createGiftCard_v2_"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	c := echo.New().NewContext(httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/cards", nil), httptest.NewRecorder())
	c.SetPath("/cards")
	c.Response().Status = http.StatusCreated
	handler := measured.measure(func(echo.Context) error { return nil })
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := handler(c); err != nil {
				b.Error(err)
			}
		}
	})
}
