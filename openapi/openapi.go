// Package openapi holds the documents. Published is the contract, never edited;
// Complete is what this server answers to the letter; SDK is Complete with the
// few relaxations that SDK generators need. The latter two are made from the
// overlays beside this file.
package openapi

import (
	_ "embed"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// The documents as they are served, JSON.
var (
	//go:embed openapi.json
	Published []byte
	//go:embed openapi-complete.json
	Complete []byte
	//go:embed openapi-sdk.json
	SDK []byte
)

// Load returns the complete document as kin-openapi's model, with references
// resolved.
func Load() (*openapi3.T, error) {
	document, err := openapi3.NewLoader().LoadFromData(Complete)
	if err != nil {
		return nil, fmt.Errorf("load the complete document: %w", err)
	}
	return document, nil
}
