package validate_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"giftcards/server/validate"
)

// TestAListThatIsTooLongIsRefusedBeforeItsItems: as in Pydantic, no item is judged.
func TestAListThatIsTooLongIsRefusedBeforeItsItems(t *testing.T) {
	t.Parallel()
	o := cardRules()
	o.Lists = map[string]validate.ListBounds{"BulkIssueGiftCardRequest.recipients": {Least: 1, Most: 2}}
	_, errs := send(t, compile(t, o), http.MethodPost, cards+"/bulk", jsonHeader(), []byte(`{"initialValue": 5, "recipients": [1, 2, 3]}`))
	if got := places(errs); got != "too_long [body recipients]; " || errs[0].Msg != "List should have at most 2 items after validation, not 3" {
		t.Errorf("got %s %v", got, errs)
	}
}

// The first of the requests has wrong items, and the second has right ones.
func TestAfterItsContextEndsARequestIsNeitherAcceptedNorRefused(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	operation, _ := v.Operation(http.MethodPost, bulkPath)
	r := post(t, cards+"/bulk", nil).WithContext(ctx)
	for _, recipients := range []string{"1,2", "{},{}"} {
		if request, errs := operation.Validate(r, programID, []byte(`{"initialValue": 5, "recipients": [`+recipients+`]}`)); request != nil || errs != nil {
			t.Errorf("%s: got %v, %v", recipients, request, errs)
		}
	}
}

// TestALongListIsNoLongerJudgedAfterTheClientHangsUp: the context ends while the list is judged.
func TestALongListIsNoLongerJudgedAfterTheClientHangsUp(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	operation, _ := v.Operation(http.MethodPost, bulkPath)
	ctx := &countingContext{Context: t.Context(), last: 3}
	r := post(t, cards+"/bulk", nil).WithContext(ctx)
	body := `{"initialValue": 5, "recipients": [{}` + strings.Repeat(`,{}`, 9_999) + `]}`
	if request, errs := operation.Validate(r, programID, []byte(body)); request != nil || errs != nil {
		t.Errorf("got %v, %v", request, errs)
	}
	if ctx.asked > 5 { // Validate asks once more after the walk
		t.Errorf("the context was asked %d times, although the third answer was that it had ended", ctx.asked)
	}
}

// countingContext is a context that ends after it was asked a number of times.
type countingContext struct {
	context.Context
	asked, last int
}

func (c *countingContext) Err() error {
	if c.asked++; c.asked >= c.last {
		return context.Canceled
	}
	return nil
}
