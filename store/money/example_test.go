package money_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"giftcards/store/money"
)

// No digit is ever lost, and a comparison is by value.
func Example() {
	var request struct{ InitialValue money.Amount }
	if err := json.Unmarshal([]byte(`{"initialValue": 5000.005}`), &request); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(request.InitialValue)

	short, _ := money.Parse("25")
	long, _ := money.Parse("25.000")
	fmt.Println(short, long, short.Cmp(long))

	_, err := money.Parse("1,000")
	fmt.Println(errors.Is(err, money.ErrSyntax))
	// Output:
	// 5000.005
	// 25.00 25.000 0
	// true
}
