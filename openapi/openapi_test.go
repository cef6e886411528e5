package openapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"giftcards/openapi"
)

// publishedSum is the SHA-256 of the document as its owner publishes it.
const publishedSum = "7f2edfedcec6462852800c3806870da7117e9cbe084d8e3ebce77f2a22359d1d"

func TestPublishedIsByteForByteWhatItsOwnerPublishes(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256(openapi.Published)
	if got := hex.EncodeToString(sum[:]); got != publishedSum {
		t.Errorf("SHA-256 %s, want %s", got, publishedSum)
	}
}

// additions are the places, as JSON pointers with * for any one part, where
// Complete has more than Published. There are none inside a published schema:
// those would be changes.
var additions = map[string]string{
	"/tags":         "groups of operations, for documentation pages",
	"/info/license": "linters want one",
	"/paths/*":      "the life of a card, tokens, CSV and health",
	"/paths/~1v2~1giftcards~1programs~1{programId}~1cards/post/parameters/*": "the idempotency key of a single create",
	"/paths/*/*/responses/*":                                       "statuses that the published document is silent about",
	"/paths/*/*/responses/*/links":                                 "what comes after the request",
	"/paths/*/*/responses/*/headers":                               "headers that a client may rely on",
	"/components/schemas/*":                                        "bodies of the additions",
	"/paths/*/post/requestBody/content/application~1json/examples": "bodies to begin with",
}

func TestCompleteOnlyAddsToPublished(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, d := range differences("", decode(t, openapi.Published), decode(t, openapi.Complete)) {
		pattern := ""
		for candidate := range additions {
			if matches(t, candidate, d.pointer) {
				pattern = candidate
			}
		}
		if d.kind != "added" || pattern == "" {
			t.Errorf("%s %s", d.kind, d.pointer)
		}
		found[pattern] = true
	}
	for pattern, why := range additions {
		if !found[pattern] {
			t.Errorf("nothing is added at %s (%s)", pattern, why)
		}
	}
}

// sandboxAdditions are the places where Sandbox has more than Complete.
var sandboxAdditions = map[string]string{
	"/tags/*":                          "the sandbox's own operations",
	"/paths/*":                         "the sandbox's own operations",
	"/components/*":                    "the headers of requests",
	"/components/schemas/*":            "bodies of the sandbox's own operations",
	"/paths/*/*/parameters":            "the headers of requests",
	"/paths/*/*/parameters/*":          "the headers of requests",
	"/paths/*/*/responses/*":           "a header that cannot be followed",
	"/paths/*/*/responses/*/headers":   "what was followed",
	"/paths/*/*/responses/*/headers/*": "what was followed",
}

// TestSandboxOnlyAddsToComplete: a client that was made from another document works with a
// sandbox too.
func TestSandboxOnlyAddsToComplete(t *testing.T) {
	t.Parallel()
	for _, d := range differences("", decode(t, openapi.Complete), decode(t, openapi.Sandbox)) {
		place := ""
		for candidate := range sandboxAdditions {
			if matches(t, candidate, d.pointer) {
				place = candidate
			}
		}
		if d.kind != "added" || place == "" {
			t.Errorf("%s %s", d.kind, d.pointer)
		}
	}
}

// relaxations are all that SDK generators are told differently.
var relaxations = []struct {
	pattern string // of JSON pointers
	relax   func(any) any
	why     string
}{
	{"/paths/*/*/parameters/*/schema", withoutNull, "a path, a query and a header have no null"},
	{"/paths/*/*/requestBody/content/application~1json/schema", withoutNull, "a body that may be left out is left out"},
	{"/components/schemas/Body_login_for_access_token_v2_token_post/properties/*", withoutNull, "a form has no null"},
	{
		"/paths/~1v2~1giftcards~1programs~1{programId}~1cards~1bulk/post/responses/201/content/application~1json/schema",
		oneOfForAnyOf, "generators make one type of both objects",
	},
	{"/components/schemas/RefundTransactionRequest/properties/amount/anyOf/*", withoutExclusiveMinimum, "ogen knows it only as a boolean"},
	{"/paths/*/*/responses/*/headers/Idempotent-Replayed/schema", withoutEnum, "ogen makes one type of all cards with headers, but not of their enums"},
	{"/paths/*/*/parameters", withoutAuthorization, "as an argument it would overwrite the bearer token"},
	{"/paths/~1v2~1giftcards~1downloads~1{link}/get/responses/*/content", withoutPeoplesFiles, "one type cannot hold a CSV, a page and a workbook"},
	{"/paths", withoutReceipts, "only mail programs and browsers follow the link in a receipt"},
	{"/paths/~1v2~1giftcards~1downloads~1{link}/get/parameters", withoutFormat, "it only chooses the workbook"},
	{"/paths/*/*/responses/401", withoutHeaders, "ogen's code for a 401 and a 429 with headers does not compile"},
}

func TestSDKIsCompleteWithTheNamedRelaxationsAndNoOther(t *testing.T) {
	t.Parallel()
	want := decode(t, openapi.Complete)
	for _, r := range relaxations {
		before := want
		want = replace(t, "", want, r.pattern, r.relax)
		if len(differences("", before, want)) == 0 {
			t.Errorf("nothing to relax at %s (%s)", r.pattern, r.why)
		}
	}
	for _, d := range differences("", want, decode(t, openapi.SDK)) {
		t.Errorf("%s %s", d.kind, d.pointer)
	}
}

// withoutNull turns an anyOf of a schema and null into that schema.
func withoutNull(schema any) any {
	relaxed := maps.Clone(schema.(map[string]any))
	branches, _ := relaxed["anyOf"].([]any)
	if len(branches) != 2 || branches[1].(map[string]any)["type"] != "null" {
		return schema
	}
	delete(relaxed, "anyOf")
	maps.Copy(relaxed, branches[0].(map[string]any))
	return relaxed
}

func oneOfForAnyOf(schema any) any {
	relaxed := maps.Clone(schema.(map[string]any))
	relaxed["oneOf"] = relaxed["anyOf"]
	delete(relaxed, "anyOf")
	return relaxed
}

func withoutAuthorization(parameters any) any { return withoutParameter(parameters, "authorization") }

func withoutReceipts(paths any) any {
	relaxed := maps.Clone(paths.(map[string]any))
	delete(relaxed, "/v2/giftcards/receipts/{receipt}")
	return relaxed
}

func withoutFormat(parameters any) any { return withoutParameter(parameters, "format") }

func withoutParameter(parameters any, name string) any {
	return slices.DeleteFunc(slices.Clone(parameters.([]any)), func(parameter any) bool {
		return parameter.(map[string]any)["name"] == name
	})
}

// withoutPeoplesFiles leaves the CSV and the refusals in JSON.
func withoutPeoplesFiles(content any) any {
	relaxed := maps.Clone(content.(map[string]any))
	delete(relaxed, "text/html")
	delete(relaxed, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	return relaxed
}

func withoutExclusiveMinimum(schema any) any { return without(schema, "exclusiveMinimum") }

func withoutEnum(schema any) any { return without(schema, "enum") }

func withoutHeaders(response any) any { return without(response, "headers") }

func without(object any, key string) any {
	relaxed := maps.Clone(object.(map[string]any))
	delete(relaxed, key)
	return relaxed
}

func TestDocumentsLoadWithAllReferencesResolved(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]struct {
		text  []byte
		paths int
	}{
		"published": {openapi.Published, 3},
		"complete":  {openapi.Complete, 31},
		"sdk":       {openapi.SDK, 30},
	} {
		loaded, err := openapi3.NewLoader().LoadFromData(document.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := loaded.Paths.Len(); got != document.paths {
			t.Errorf("%s has %d paths, want %d", name, got, document.paths)
		}
	}
}

// difference is a place where two documents differ: added, removed or changed.
type difference struct{ kind, pointer string }

// differences compares two JSON values. Lists are compared element by element,
// so that only what is at their end counts as added or removed.
func differences(pointer string, before, after any) (found []difference) {
	compare := func(key string, inBefore, inAfter bool, a, b any) {
		at := pointer + "/" + escape(key)
		// Additions are reported, too, because each must be an intended one.
		switch {
		case !inBefore:
			found = append(found, difference{"added", at})
		case !inAfter:
			found = append(found, difference{"removed", at})
		default:
			found = append(found, differences(at, a, b)...)
		}
	}
	switch before := before.(type) {
	case map[string]any:
		if after, ok := after.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(union(before, after))) {
				a, inBefore := before[key]
				b, inAfter := after[key]
				compare(key, inBefore, inAfter, a, b)
			}
			return found
		}
	case []any:
		if after, ok := after.([]any); ok {
			for i := range max(len(before), len(after)) {
				compare(fmt.Sprint(i), i < len(before), i < len(after), at(before, i), at(after, i))
			}
			return found
		}
	default:
		if before == after {
			return nil
		}
	}
	return []difference{{"changed", pointer}}
}

func union(a, b map[string]any) map[string]any {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// replace returns value with the parts whose JSON pointer matches replaced.
func replace(t *testing.T, pointer string, value any, pattern string, by func(any) any) any {
	t.Helper()
	if matches(t, pattern, pointer) {
		return by(value)
	}
	switch value := value.(type) {
	case map[string]any:
		replaced := make(map[string]any, len(value))
		for key, part := range value {
			replaced[key] = replace(t, pointer+"/"+escape(key), part, pattern, by)
		}
		return replaced
	case []any:
		replaced := make([]any, len(value))
		for i, part := range value {
			replaced[i] = replace(t, fmt.Sprint(pointer, "/", i), part, pattern, by)
		}
		return replaced
	}
	return value
}

func matches(t *testing.T, pattern, pointer string) bool {
	t.Helper()
	matches, err := path.Match(pattern, pointer)
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	return matches
}

// escape makes a part of a JSON pointer of a key.
func escape(key string) string { return pointerEscapes.Replace(key) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// decode keeps numbers as they are written.
func decode(t *testing.T, document []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
