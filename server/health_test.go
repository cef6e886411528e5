package server_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"giftcards/server"
	"giftcards/server/servertest"
)

func panicWhenAskedIfReady(o *server.Options) {
	o.Ready = func(context.Context) error { panic("the handler's own mistake") }
}

func TestReadinessSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) {
		o.Ready = func(context.Context) error { return errors.New("Worker is not running") }
	})
	answer := get(t, s, s.URL+"/readyz")
	if answer.Status != http.StatusServiceUnavailable || !strings.Contains(string(answer.Body), "Worker is not running") || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if alive := get(t, s, s.URL+"/healthz"); alive.Status != http.StatusOK {
		t.Errorf("healthz: %d", alive.Status)
	}
}
