package validate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"giftcards/server/validate"
)

const (
	program = "/v2/giftcards/programs/5eb7cf5a86d9755df3a6c593"
	cards   = program + "/cards"
	card    = `{"initialValue": 25, "merchantId": "5eb7cf5a86d9755df3a6c594"}`
)

func jsonHeader() map[string]string { return map[string]string{"content-type": "application/json"} }

// places returns the type and loc of each error.
func places(errs validate.Errors) string {
	var b strings.Builder
	for _, err := range errs {
		fmt.Fprintf(&b, "%s %v; ", err.Type, []any(err.Loc))
	}
	return b.String()
}

func TestMediaTypeDecidesWhetherABodyIsJSON(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	for contentType, isJSON := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON ": true, "application/vnd.api+json": true, "": true,
		"application/xml": false, "text/json": false, "json": false, "application/jsonx": false, "application/a/b+json": false,
		"application/x-www-form-urlencoded": false,
	} {
		_, errs := send(t, v, http.MethodPost, cards, map[string]string{"content-type": contentType}, []byte(card))
		want := ""
		if !isJSON {
			want = "model_attributes_type [body]; "
		}
		if got := places(errs); got != want {
			t.Errorf("%q: got %q, want %q", contentType, got, want)
		}
	}
}

func TestBodyOfAnotherMediaTypeIsEchoedAsText(t *testing.T) {
	t.Parallel()
	_, errs := send(t, compile(t, cardRules()), http.MethodPost, cards, map[string]string{"content-type": "text/plain"}, []byte("a\"\xff"))
	if len(errs) != 1 || string(errs[0].Input) != `"a\"`+"\uFFFD\"" {
		t.Errorf("got %s", errs[0].Input)
	}
}

func TestEmptyAndNullBodiesAreMissing(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	for _, body := range []string{"", "null", " null\n"} {
		_, errs := send(t, v, http.MethodPost, cards, jsonHeader(), []byte(body))
		if got := places(errs); got != "missing [body]; " || string(errs[0].Input) != "null" {
			t.Errorf("%q: got %q", body, got)
		}
	}
}

func TestErrorsComeInTheOrderPathQueryHeaderBody(t *testing.T) {
	t.Parallel()
	o := cardRules()
	o.Params = map[string]validate.FieldRule{"header.idempotency-key": func(_ context.Context, v validate.Value) *validate.ErrorDetail {
		if v.Text() == "é" {
			return validate.PatternMismatch("^x$")
		}
		return nil
	}}
	v := compile(t, o)
	headers := map[string]string{"content-type": "application/json", "idempotency-key": "\xe9"}
	target := "/v2/giftcards/programs/x/cards/bulk?cardId=y"
	_, errs := send(t, v, http.MethodPost, target, headers, []byte(`{"count": 0, "recipients": [{"senderName": 5}, 5], "initialValue": true}`))
	want := "value_error [path programId]; value_error [query cardId]; string_pattern_mismatch [header idempotency-key]; " +
		"decimal_type [body initialValue]; greater_than_equal [body count]; string_type [body recipients 0 senderName]; model_attributes_type [body recipients 1]; "
	if got := places(errs); got != want {
		t.Errorf("got %s", got)
	}
	if string(errs[2].Input) != `"é"` {
		t.Errorf("the header reads %s, want Latin-1", errs[2].Input)
	}
	_, errs = send(t, v, http.MethodPost, target, headers, []byte(`{`))
	if got := places(errs); got != "json_invalid [body 1]; " {
		t.Errorf("malformed: got %s", got)
	}
}

func TestBodyRulesWaitForEveryField(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	for body, want := range map[string]string{
		`{"initialValue": 25}`:                                                    "value_error [body]; ",
		`{"initialValue": 25, "count": 1, "recipients": [{}]}`:                    "value_error [body]; ",
		`{"initialValue": 25, "count": 1, "recipients": [{}], "isPhysical": "x"}`: "bool_parsing [body isPhysical]; ",
		`{"initialValue": 25, "count": null, "recipients": [{}]}`:                 "",
	} {
		_, errs := send(t, v, http.MethodPost, cards+"/bulk", jsonHeader(), []byte(body))
		if got := places(errs); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
	_, errs := send(t, v, http.MethodPost, cards, jsonHeader(), []byte(strings.TrimSuffix(card, "}")+
		`, "expiresAt": "2029-06-01T00:00:00Z", "deliverAt": "2029-06-01T00:00:01Z"}`))
	if got := places(errs); got != "value_error [body deliverAt]; " || string(errs[0].Input) != `"2029-06-01T00:00:01Z"` {
		t.Errorf("deliverAt: got %s %s", got, errs[0].Input)
	}
}

func TestPathThatIsNotUTF8IsEchoedAsPythonDecodesIt(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	for escaped, want := range map[string]string{
		"%F0%9F": "\uFFFD", "%F0%9F%98": "\uFFFD", "%C3%C3%A9": "\uFFFDé", "%FF%FF": "\uFFFD\uFFFD", "%ED%A0%80": "\uFFFD\uFFFD\uFFFD", "%E2%82%41": "\uFFFDA",
	} {
		_, errs := send(t, v, http.MethodGet, "/v2/giftcards/programs/"+escaped+"/cards/bulk/t", nil, nil)
		if len(errs) != 1 || string(errs[0].Input) != `"`+want+`"` {
			t.Errorf("%s: got %v, want %s", escaped, errs, want)
		}
	}
}

func TestFieldRulesAreNotAskedAboutNullOrRefusedValues(t *testing.T) {
	t.Parallel()
	asked := 0
	v := compile(t, validate.Options{Fields: map[string]validate.FieldRule{
		"BulkIssueGiftCardRequest.count": func(_ context.Context, v validate.Value) *validate.ErrorDetail {
			asked++
			return validate.TooLarge(v.Int())
		},
	}})
	for _, body := range []string{`{"initialValue": 25}`, `{"initialValue": 25, "count": null}`, `{"initialValue": 25, "count": 0}`, `{"initialValue": 25, "count": "7"}`} {
		send(t, v, http.MethodPost, cards+"/bulk", jsonHeader(), []byte(body))
	}
	if asked > 0 {
		t.Errorf("asked %d times", asked)
	}
	_, errs := send(t, v, http.MethodPost, cards+"/bulk", jsonHeader(), []byte(`{"initialValue": 25, "count": 1`+strings.Repeat("0", 30)+`}`))
	if len(errs) != 1 || errs[0].Msg != "Input should be less than or equal to 9223372036854775807" {
		t.Errorf("a huge integer: got %v", errs)
	}
}

func TestAtMostAThousandErrorsAreListed(t *testing.T) {
	t.Parallel()
	body := `{"recipients": [` + strings.Repeat(`{"customerEmail": "x"},`, 5000) + `5]}`
	_, errs := send(t, compile(t, cardRules()), http.MethodPost, cards+"/bulk?cardId=x", jsonHeader(), []byte(body))
	if len(errs) != 1000 || errs[0].Type != "value_error" || errs[1].Type != "missing" {
		t.Errorf("got %d errors, first %v", len(errs), errs[:2])
	}
}

func TestInputIsEchoedAsItWasSent(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{`1e400`, `[1.50, {"b": "\ud800", "a": 1E5}]`, `{"z": 1, "a": 2}`, `100000000000000000000000000000000`} {
		_, errs := send(t, compile(t, cardRules()), http.MethodPost, cards, jsonHeader(), []byte(`{"merchantId": "5eb7cf5a86d9755df3a6c594", "initialValue": 1, "senderName": `+sent+`}`))
		detail, err := json.Marshal(errs)
		if err != nil {
			t.Fatalf("%s: %v", sent, err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(sent)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(detail, []byte(`"input":`+compact.String())) {
			t.Errorf("%s: got %s", sent, detail)
		}
	}
}

func TestParamsAreReadBack(t *testing.T) {
	t.Parallel()
	request, errs := send(t, compile(t, cardRules()), http.MethodPost, cards+"/bulk?cardId=5eb7cf5a86d9755df3a6c595",
		map[string]string{"idempotency-key": "k"}, []byte(`{"initialValue": 1, "count": 3}`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got := request.Param("header", "idempotency-key").Text() + request.Param("query", "cardId").Text(); got != "k5eb7cf5a86d9755df3a6c595" {
		t.Errorf("got %s", got)
	}
	if !request.Param("header", "X-Eposn-Customer-Token").Absent() || !request.Param("header", "other").Absent() {
		t.Error("a parameter that was not sent is not absent")
	}
	if got := request.Body().Field("count").Int(); got != 3 {
		t.Errorf("count is %d", got)
	}
}

func TestOperationWithoutABodyIgnoresASentBody(t *testing.T) {
	t.Parallel()
	request, errs := send(t, compile(t, cardRules()), http.MethodGet, cards+"/bulk/task", jsonHeader(), []byte("{"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if err := request.Decode(&struct{}{}); err == nil {
		t.Error("decoded a body that is not there")
	}
}

func TestErrorOfAHandlerHasTheShapeOfAValidationError(t *testing.T) {
	t.Parallel()
	input := "5eb7cf5a86d9755df3a6c594"
	errs := validate.ValueError("merchantId must be the program's merchant").At(validate.Loc{"body", "merchantId"}, &input)
	got, err := json.Marshal(errs)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"type":"value_error","loc":["body","merchantId"],"msg":"Value error, merchantId must be the program's merchant","input":"5eb7cf5a86d9755df3a6c594","ctx":{"error":{}}}]`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
	if got := errs.Error(); got != "body.merchantId: Value error, merchantId must be the program's merchant" {
		t.Errorf("as an error: %s", got)
	}
	if got, _ := json.Marshal(validate.NotInFuture().At(validate.Loc{"body", 5}, nil)); !bytes.Contains(got, []byte(`"input":null`)) {
		t.Errorf("without an input: %s", got)
	}
}

// TestARequestWithFaultsIsReturnedOnlyIfAllAreProvisional: the server looks for an earlier
// answer to such a request, and a wrong request has none.
func TestARequestWithFaultsIsReturnedOnlyIfAllAreProvisional(t *testing.T) {
	t.Parallel()
	rules := cardRules()
	rules.Fields["CreateGiftCardRequest.expiresAt"] = func(context.Context, validate.Value) *validate.ErrorDetail {
		fault := validate.NotInFuture()
		fault.Provisional = true
		return fault
	}
	v := compile(t, rules)
	for body, want := range map[string]bool{
		`{"initialValue":1,"merchantId":"5eb7cf5a86d9755df3a6c594","expiresAt":"2020-01-01T00:00:00Z"}`: true,
		`{"initialValue":0,"merchantId":"5eb7cf5a86d9755df3a6c594","expiresAt":"2020-01-01T00:00:00Z"}`: false,
		`{"initialValue":1,"expiresAt":"2020-01-01T00:00:00Z"}`:                                         false,
		`{"initialValue":1,"merchantId":"5eb7cf5a86d9755df3a6c594","expiresAt":"2020-01-01"}`:           false,
	} {
		request, errs := send(t, v, http.MethodPost, cards, jsonHeader(), []byte(body))
		if len(errs) == 0 || (request != nil) != want {
			t.Errorf("%s: errors %v beside a request: %t, want %t", body, errs, request != nil, want)
		}
		if printed, err := json.Marshal(errs); err != nil || bytes.Contains(printed, []byte("rovisional")) {
			t.Errorf("%s: printed as %s, %v", body, printed, err)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for _, seed := range []string{
		card, createBody, `{"initialValue": "1e3", "recipients": [{"customerEmail": "a@bücher.de", "customerPhone": "+1 415"}], "count": 1e400}`,
		`{"expiresAt": "2029-06-01", "isPhysical": "\ud800"}`, `[]`, `{`, "", "username=u&password=p&grant_type=x", "\uFEFFnull",
	} {
		f.Add(seed, "cardId=x", "application/json", "k\xe9")
	}
	v := compile(f, cardRules())
	f.Fuzz(func(t *testing.T, body, query, contentType, header string) {
		for _, o := range v.Operations() {
			r := httptest.NewRequest(o.Method, "/", nil)
			r.URL.RawQuery = query
			r.Header = http.Header{"Content-Type": {contentType}, "Idempotency-Key": {header}}
			request, errs := o.Validate(r, func(string) string { return header }, []byte(body))
			if (request == nil) != (len(errs) > 0) {
				t.Fatalf("%s %s: got a request %v and errors %v", o.Method, o.Path, request, errs)
			}
			for _, dst := range []any{&createRequest{}, &bulkRequest{}} {
				if request != nil && !request.Body().Absent() {
					_ = request.Decode(dst) // may fail, must not panic
				}
			}
			checkDetail(t, errs)
		}
	})
}

// checkDetail fails unless the detail is an array of elements with type, loc and msg.
func checkDetail(t *testing.T, errs validate.Errors) {
	t.Helper()
	detail, err := json.Marshal(errs)
	if err != nil {
		t.Fatal(err)
	}
	var elements []struct {
		Type, Msg *string
		Loc       []any
	}
	if err := json.Unmarshal(detail, &elements); err != nil || len(elements) != len(errs) {
		t.Fatalf("%v: %s", err, detail)
	}
	for _, element := range elements {
		if element.Type == nil || element.Msg == nil || len(element.Loc) == 0 {
			t.Fatalf("an element lacks type, loc or msg: %s", detail)
		}
	}
}
