package main

import (
	"fmt"
	"reflect"

	"github.com/speakeasy-api/openapi/overlay/loader"
	"gopkg.in/yaml.v3"
)

// mergeFile adds the paths and the schemas of the document in a file to root.
func mergeFile(root *yaml.Node, path string) error {
	from, err := loader.LoadSpecification(path)
	if err != nil {
		return err
	}
	for _, place := range [][]string{{"paths"}, {"components", "schemas"}} {
		into, added := member(root, place), member(from, place)
		if into == nil || added == nil {
			return fmt.Errorf("one of the documents has no %v", place)
		}
		for i := 0; i+1 < len(added.Content); i += 2 {
			key, value := added.Content[i], added.Content[i+1]
			known := member(into, []string{key.Value})
			switch {
			case known == nil:
				into.Content = append(into.Content, key, value)
			case place[0] == "paths" || !equal(known, value):
				return fmt.Errorf("%v has another %s already", place, key.Value)
			}
		}
	}
	return nil
}

// member returns the value below the keys, nil if there is none.
func member(node *yaml.Node, keys []string) *yaml.Node {
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	for _, key := range keys {
		var found *yaml.Node
		// The content of a mapping is a key and its value in turns.
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				found = node.Content[i+1]
			}
		}
		if found == nil {
			return nil
		}
		node = found
	}
	return node
}

// equal reports whether two nodes hold the same value, whatever the order of their keys.
func equal(a, b *yaml.Node) bool {
	var first, second any
	return a.Decode(&first) == nil && b.Decode(&second) == nil && reflect.DeepEqual(first, second)
}
