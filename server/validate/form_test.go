package validate_test

import (
	"net/http"
	"testing"
)

func TestLastQueryValueCountsAndNamesAreExact(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	for query, want := range map[string]string{
		"cardId=x&cardId=5eb7cf5a86d9755df3a6c593": "", "cardid=x": "", "&&": "", "other=%zz": "", "c%61rdId=x": `"x"`,
		"cardId": `""`, "cardId=": `""`, "cardId=%zz": `"%zz"`, "cardId=x;y": `"x;y"`, "cardId=a+b%2B": `"a b+"`, "cardId=%C3%A9": `"é"`,
		"cardId=%E2%82x": "\"\uFFFDx\"", "cardId=%ff%fe": "\"\uFFFD\uFFFD\"", "cardId=%F0%9F%98": "\"\uFFFD\"", "cardId=%ed%a0%80": "\"\uFFFD\uFFFD\uFFFD\"",
	} {
		_, errs := send(t, v, http.MethodPost, cards+"?"+query, jsonHeader(), []byte(card))
		got := ""
		if len(errs) == 1 {
			got = string(errs[0].Input)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

func TestFormFieldsAreJudgedByName(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	for body, want := range map[string]string{
		"username=u&password=p": "", "username=u&password=p&grant_type=&scope=": "", "username=u&password=p&grant_type=password": "",
		"": "missing [body username]; missing [body password]; ", "username=&password=p": "missing [body username]; ",
		"username=u&password=p&grant_type=code": "string_pattern_mismatch [body grant_type]; ",
	} {
		_, errs := send(t, v, http.MethodPost, "/v2/token", map[string]string{"content-type": "application/x-www-form-urlencoded"}, []byte(body))
		if got := places(errs); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
	_, errs := send(t, v, http.MethodPost, "/v2/token", jsonHeader(), []byte(`{"username": "u", "password": "p"}`))
	if got := places(errs); got != "missing [body username]; missing [body password]; " || string(errs[0].Input) != "null" {
		t.Errorf("JSON: got %q", got)
	}
}

func TestFormReachesTheHandlerAsSent(t *testing.T) {
	t.Parallel()
	request, errs := send(t, compile(t, cardRules()), http.MethodPost, "/v2/token",
		map[string]string{"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, []byte("username=a+b&password=%C3%A9&username=c&other=1"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if form := request.Form(); form.Get("username") != "a b" || form.Get("password") != "é" || form.Get("other") != "1" {
		t.Errorf("form: %v", form)
	}
	var dst struct {
		Username, Password string
		Name               string  `json:"username"`
		Secret             string  `json:"password"`
		Scope              *string `json:"scope"`
		Client             *string `json:"client_id"`
	}
	if err := request.Decode(&dst); err != nil {
		t.Fatal(err)
	}
	if dst.Name != "c" || dst.Secret != "é" || dst.Scope == nil || *dst.Scope != "" || dst.Client != nil {
		t.Errorf("decoded: %+v", dst)
	}
}
