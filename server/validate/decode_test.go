package validate_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"giftcards/server/validate"
)

func decode[T any](t *testing.T, path, body string) T {
	t.Helper()
	request, errs := send(t, compile(t, cardRules()), http.MethodPost, path, jsonHeader(), []byte(body))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var dst T
	if err := request.Decode(&dst); err != nil {
		t.Fatal(err)
	}
	return dst
}

func TestHandlerGetsTheValidatedValues(t *testing.T) {
	t.Parallel()
	got := decode[createRequest](t, cards, `{"initialValue": 2.50e1, "merchantId": "5eb7cf5a86d9755df3a6c594", "customerEmail": "A@BÜCHER.de",
		"customerPhone": "+1 (415) 555-2671 x5", "customerName": "a\n\ud83d\ude00\"", "senderName": null, "isPhysical": true,
		"expiresAt": "2029-06-01T02:00:00.5+02:00", "ISPHYSICAL": false, "unknown": {"isPhysical": false}}`)
	if got.InitialValue.text != "25.0" || *got.CustomerEmail != "A@bücher.de" || *got.CustomerPhone != "+14155552671;ext=5" ||
		*got.CustomerName != "a\n😀\"" || got.SenderName != nil || !got.IsPhysical || got.DesignTemplate != nil || got.DeliverAt != nil {
		t.Errorf("got %+v", got)
	}
	if want := time.Date(2029, time.June, 1, 0, 0, 0, 500_000_000, time.UTC); !got.ExpiresAt.Equal(want) || got.ExpiresAt.Location() != time.UTC {
		t.Errorf("expiresAt is %v", got.ExpiresAt)
	}
}

func TestAbsentPropertyTakesTheDocumentsDefault(t *testing.T) {
	t.Parallel()
	raw := strings.Replace(smallDocument, `"flag": {"type": "boolean"}`, `"flag": {"type": "boolean", "default": true}`, 1)
	request, errs := send(t, compileText(t, []byte(raw), validate.Options{}), http.MethodPost, "/things", jsonHeader(), []byte(`{"name": "x"}`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var dst struct {
		Flag *bool `json:"flag"`
	}
	if err := request.Decode(&dst); err != nil || dst.Flag == nil || !*dst.Flag {
		t.Errorf("flag is %v (%v)", dst.Flag, err)
	}
	if !request.Body().Field("flag").Bool() {
		t.Error("the view of flag is not the default")
	}
}

func TestListsAndIntegersAreDecoded(t *testing.T) {
	t.Parallel()
	got := decode[bulkRequest](t, cards+"/bulk", `{"initialValue": "1", "recipients": [{"customerEmail": "a@B.co"}, {}, {"senderName": "x"}]}`)
	if len(got.Recipients) != 3 || *got.Recipients[0].CustomerEmail != "a@b.co" || *got.Recipients[2].SenderName != "x" || got.Count != nil {
		t.Errorf("got %+v", got)
	}
	if got := decode[bulkRequest](t, cards+"/bulk", `{"initialValue": "1", "count": 5.0e1}`); *got.Count != 50 || got.Recipients != nil {
		t.Errorf("got %+v", got)
	}
}

func TestSchemaThatRefersToItselfIsDecoded(t *testing.T) {
	t.Parallel()
	type thing struct {
		Name     string  `json:"name"`
		Children []thing `json:"children"`
	}
	request, errs := send(t, compileText(t, []byte(smallDocument), validate.Options{}), http.MethodPost, "/things", jsonHeader(),
		[]byte(`{"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}, {"name": "d"}]}`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var dst thing
	if err := request.Decode(&dst); err != nil {
		t.Fatal(err)
	}
	if dst.Children[0].Children[0].Name != "c" || dst.Children[1].Name != "d" {
		t.Errorf("got %+v", dst)
	}
}

func TestDecodeSaysWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	request, errs := send(t, compile(t, validate.Options{}), http.MethodPost, cards+"/bulk", jsonHeader(), []byte(`{"initialValue": 1, "count": 300}`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for want, dst := range map[string]any{
		"not a pointer to a struct": bulkRequest{},
		"the integer is too large": &struct {
			C int8 `json:"count"`
		}{},
		"schema to a bool": &struct {
			C bool `json:"count"`
		}{},
		"no way from an array": &struct {
			R string `json:"recipients"`
		}{},
		"schema to a float64": &struct {
			V float64 `json:"initialValue"`
		}{},
		"no way from an object to a string": &struct {
			R []string `json:"recipients"`
		}{},
	} {
		if err := request.Decode(dst); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: got %v, want %s", dst, err, want)
		}
	}
}
