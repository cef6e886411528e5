package validate_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"giftcards/openapi"
	"giftcards/server/validate"
)

// Options add a rule that the schema cannot state. All faults of a request come in one list, in
// the order of the document.
func Example() {
	document, err := openapi.Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := validate.Compile(document, openapi.Complete, validate.Options{Fields: map[string]validate.FieldRule{
		"CreateGiftCardRequest.designTemplate": func(_ context.Context, v validate.Value) *validate.ErrorDetail {
			if v.Text() != "birthday" {
				return validate.ValueError("there is no such design")
			}
			return nil
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	operation, _ := v.Operation(http.MethodPost, "/v2/giftcards/programs/{programId}/cards")
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Content-Type", "application/json")
	inPath := func(string) string { return "5eb7cf5a86d9755df3a6c593" }
	_, faults := operation.Validate(r, inPath, []byte(`{"initialValue": "0.001", "designTemplate": "wedding"}`))
	for _, fault := range faults {
		fmt.Printf("%s: %s (%s)\n", fault.Loc, fault.Msg, fault.Type)
	}
	// Output:
	// body.initialValue: Input should be greater than or equal to 0.01 (greater_than_equal)
	// body.merchantId: Field required (missing)
	// body.designTemplate: Value error, there is no such design (value_error)
}
