// Command overlay applies OpenAPI overlays to a document in the given order. It writes the
// result as JSON and keeps the document's order of keys:
//
//	overlay [-x-order] [-merge operations.json] document.json result.json overlay.yaml...
//
// With -merge the document first gets the paths and schemas of another document. Both may
// have the same schema, but not a different one of the same name, and not the same path.
//
// With -x-order every property also gets an x-order. Generators that read a document as a
// map learn the order from it.
//
// An action that selects nothing or changes nothing is an error, because an overlay that
// silently stops applying would publish a wrong document.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"

	"github.com/speakeasy-api/openapi/json"
	"github.com/speakeasy-api/openapi/overlay/loader"
	"gopkg.in/yaml.v3"
)

func main() {
	order := flag.Bool("x-order", false, "give every property an x-order")
	operations := flag.String("merge", "", "a document whose paths and schemas are added first")
	flag.Parse()
	if flag.NArg() < 3 {
		fmt.Fprintln(os.Stderr, "usage: overlay [-x-order] [-merge operations.json] document.json result.json overlay.yaml...")
		os.Exit(2)
	}
	if err := apply(flag.Arg(0), *operations, flag.Arg(1), flag.Args()[2:], *order); err != nil {
		fmt.Fprintln(os.Stderr, "overlay:", err)
		os.Exit(1)
	}
}

func apply(document, operations, result string, overlays []string, order bool) error {
	root, err := loader.LoadSpecification(document)
	if err != nil {
		return err
	}
	if operations != "" {
		if err := mergeFile(root, operations); err != nil {
			return fmt.Errorf("%s: %w", operations, err)
		}
	}
	for _, path := range overlays {
		o, err := loader.LoadOverlay(path)
		if err != nil {
			return err
		}
		// Strict refuses an action that selects nothing; one that changes nothing is only a
		// warning.
		warnings, err := o.ApplyToStrict(root)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if len(warnings) > 0 {
			return fmt.Errorf("%s: %w", path, errors.New(warnings[0]))
		}
	}
	if order {
		orderProperties(root)
	}
	var out bytes.Buffer
	if err := json.YAMLToJSON(root, 2, &out); err != nil {
		return err
	}
	return os.WriteFile(result, out.Bytes(), 0o644)
}

// orderProperties adds x-order to each property of each schema.
func orderProperties(node *yaml.Node) {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		// A mapping node's content alternates between keys and values.
		key, value := node.Content[i], node.Content[i+1]
		if key.Value != "properties" || value.Kind != yaml.MappingNode {
			continue
		}
		for p := 1; p < len(value.Content); p += 2 {
			if property := value.Content[p]; property.Kind == yaml.MappingNode {
				property.Content = append(property.Content,
					&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "x-order"},
					&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(p/2 + 1)})
			}
		}
	}
	for _, child := range node.Content {
		orderProperties(child)
	}
}
