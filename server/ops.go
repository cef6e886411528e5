package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
)

// Healthz says that the process answers.
func (s *Server) Healthz(context.Context, api.HealthzRequestObject) (api.HealthzResponseObject, error) {
	return api.Healthz200JSONResponse{Status: "ok"}, nil
}

// Readyz says whether the server can do its work, and if not, what is missing.
func (s *Server) Readyz(ctx context.Context, _ api.ReadyzRequestObject) (api.ReadyzResponseObject, error) {
	if err := s.Ready(ctx); err != nil {
		return nil, &refusal{status: http.StatusServiceUnavailable, detail: err.Error()}
	}
	return api.Readyz200JSONResponse{Status: "ok"}, nil
}

// documentHandler serves a document. A client may cache it, but must ask each time whether
// the ETag is still the same.
func documentHandler(document []byte) echo.HandlerFunc {
	sum := sha256.Sum256(document)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("ETag", etag)
		header.Set(echo.HeaderCacheControl, "no-cache")
		if strings.Contains(c.Request().Header.Get("If-None-Match"), etag) {
			return c.NoContent(http.StatusNotModified)
		}
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, document)
	}
}
