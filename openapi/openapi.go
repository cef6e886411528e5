// Package openapi holds the OpenAPI documents. Published is the contract and is never
// edited. Complete describes every answer of this server. SDK is Complete with the few
// relaxations that SDK generators need. Sandbox is Complete with what a client of a sandbox can
// control. The overlays beside this file make all of them of Published.
package openapi

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// The documents as the server serves them, in JSON.
var (
	//go:embed openapi.json
	Published []byte
	//go:embed openapi-complete.json
	Complete []byte
	//go:embed openapi-sdk.json
	SDK []byte
	//go:embed openapi-sandbox.json
	Sandbox []byte
)

// Load returns the complete document as kin-openapi's model with resolved references. It
// takes long to load, so that all callers share one model. None may change it.
func Load() (*openapi3.T, error) { return load() }

var load = sync.OnceValues(func() (*openapi3.T, error) {
	document, err := openapi3.NewLoader().LoadFromData(Complete)
	if err != nil {
		return nil, fmt.Errorf("load the complete document: %w", err)
	}
	return document, nil
})
