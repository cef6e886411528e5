package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"

	"giftcards/openapi"
	"giftcards/server"
	"giftcards/server/docspage"
)

// documentPath is the path of the document that also describes the sandbox's own operations.
const documentPath = "/openapi-sandbox.json"

// registerDocument registers the document, and the docs page. The page shows this document and
// not the complete one.
func (s *Sandbox) registerDocument() error {
	document := openapi.Sandbox
	if s.operations.base != "" { // the document must name the path at which clients reach the server
		var err error
		if document, err = server.WithServer(document, s.BaseURL); err != nil {
			return fmt.Errorf("%s: %w", documentPath, err)
		}
	}
	sum := sha256.Sum256(document)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	s.ownMux.HandleFunc("GET "+documentPath, func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-cache") // a browser may keep it if it asks each time whether it has changed
		header.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(document)))
		_, err := w.Write(document)
		s.note(err)
	})
	docs := docspage.Handler(documentPath)
	s.ownMux.Handle("/docs", docs)
	s.ownMux.Handle("/docs/", docs)
	return nil
}
