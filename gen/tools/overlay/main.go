// Command overlay applies OpenAPI overlays to a document, in the order given,
// and writes the result as JSON with the document's own key order:
//
//	overlay document.json result.json overlay.yaml...
//
// An action whose target selects nothing, or which changes nothing, is an
// error: an overlay that silently stopped applying would publish a document
// that lies.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/speakeasy-api/openapi/json"
	"github.com/speakeasy-api/openapi/overlay/loader"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: overlay document.json result.json overlay.yaml...")
		os.Exit(2)
	}
	if err := apply(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "overlay:", err)
		os.Exit(1)
	}
}

func apply(document, result string, overlays []string) error {
	root, err := loader.LoadSpecification(document)
	if err != nil {
		return err
	}
	for _, path := range overlays {
		o, err := loader.LoadOverlay(path)
		if err != nil {
			return err
		}
		warnings, err := o.ApplyToStrict(root)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if len(warnings) > 0 {
			return fmt.Errorf("%s: %w", path, errors.New(warnings[0]))
		}
	}
	var out bytes.Buffer
	if err := json.YAMLToJSON(root, 2, &out); err != nil {
		return err
	}
	return os.WriteFile(result, out.Bytes(), 0o644)
}
