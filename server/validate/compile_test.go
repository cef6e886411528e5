package validate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"giftcards/server/validate"
)

// smallDocument has one operation, whose schema refers to itself.
const smallDocument = `{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/things": {"post": {
	"operationId": "makeThing",
	"requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
	"responses": {"200": {"description": "fine"}}}}},
	"components": {"schemas": {"Thing": {"type": "object", "required": ["name"], "properties": {
		"name": {"type": "string"}, "flag": {"type": "boolean"},
		"children": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}, "maxItems": 2}}}}}}`

func TestCompileRefusesSchemasThatItCannotJudge(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{"type": "number"}`: "type [number] is not supported", `{}`: "is not supported", `{"type": "string", "format": "uri"}`: "format uri",
		`{"oneOf": [{"type": "string"}]}`: "oneOf", `{"allOf": [{"type": "string"}]}`: "allOf", `{"anyOf": [{"type": "string"}, {"type": "integer"}]}`: "anyOf",
		`{"type": "integer", "multipleOf": 5}`: "multipleOf", `{"type": "integer", "minimum": 0.5}`: "integer bound", `{"const": "x"}`: "const",
		`{"enum": [1, 2]}`: "texts only", `{"type": "object", "properties": {}}`: "named component", `{"type": "string", "pattern": "(?!x)"}`: "pattern",
		`{"type": "array"}`: "a schema is missing", `{"type": "string", "format": "email", "maxLength": 5}`: "beside format email",
		`{"type": "boolean", "default": "x"}`: "default", `{"type": ["string", "null"]}`: "is not supported",
	} {
		raw := strings.Replace(smallDocument, `{"type": "boolean"}`, schema, 1)
		doc, err := openapi3.NewLoader().LoadFromData([]byte(raw))
		if err != nil {
			t.Errorf("%s: %v", schema, err)
			continue
		}
		_, err = validate.Compile(doc, []byte(raw), validate.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "POST /things") {
			t.Errorf("%s: got %v, want %s", schema, err, want)
		}
	}
}

func TestCompileRefusesRulesThatBelongToNothing(t *testing.T) {
	t.Parallel()
	raw := []byte(smallDocument)
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	rule := func(context.Context, validate.Value) *validate.ErrorDetail { return nil }
	for want, o := range map[string]validate.Options{
		"field Thing.other":      {Fields: map[string]validate.FieldRule{"Thing.other": rule}},
		"body Other":             {Bodies: map[string]validate.BodyRule{"Other": rule}},
		"parameter header.other": {Params: map[string]validate.FieldRule{"header.other": rule}},
	} {
		if _, err := validate.Compile(doc, raw, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCompileRefusesAnotherRawDocument(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(smallDocument))
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{``, `{}`, `[]`, strings.Replace(smallDocument, `"flag"`, `"flog"`, 1), strings.Replace(smallDocument, `"flag": {"type": "boolean"},`, ``, 1)} {
		if _, err := validate.Compile(doc, []byte(raw), validate.Options{}); err == nil {
			t.Errorf("accepted %.30s", raw)
		}
	}
	if _, err := validate.Compile(nil, []byte(smallDocument), validate.Options{}); err == nil {
		t.Error("accepted no document")
	}
}

func TestOperationsListsThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	v := compileText(t, []byte(smallDocument), validate.Options{})
	all := v.Operations()
	if len(all) != 1 || all[0].ID != "makeThing" || all[0].Method != "POST" || all[0].Path != "/things" {
		t.Errorf("got %v", all)
	}
	if found, ok := v.Operation("POST", "/things"); !ok || found != all[0] {
		t.Error("the operation is not found")
	}
	if _, ok := v.Operation("GET", "/things"); ok {
		t.Error("an operation is found that is not there")
	}
}

func TestArrayBoundsOfTheDocumentHold(t *testing.T) {
	t.Parallel()
	v := compileText(t, []byte(smallDocument), validate.Options{})
	_, errs := send(t, v, "POST", "/things", jsonHeader(), []byte(`{"children": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}`))
	if got := places(errs); got != "missing [body name]; too_long [body children]; " {
		t.Errorf("got %s", got)
	}
}
