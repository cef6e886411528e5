package sandbox

import "github.com/google/uuid"

// successes are the bodies of successful answers, by the name of the operation. Their sentences
// are those of the server. A bulk request has no example, because it is carried out.
var successes = map[string]func(*example) any{
	"createGiftCard": func(e *example) any {
		return e.card("pending", object{"id": exampleCard, "balance": "0.00", "createdAt": e.timestamp(e.now), "updatedAt": nil, "activatedAt": nil, "delivered": false})
	},
	"pollBulkIssuance": func(e *example) any {
		return object{
			"taskId": e.task(), "status": "completed", "issuedCount": 1,
			"cards":          []object{{"id": exampleCard, "cardNumber": exampleNumber, "lastFourDigits": exampleNumber[12:]}},
			"csvDownloadUrl": e.csvURL(), "failedCount": nil, "error": nil, "completedAt": e.timestamp(e.now),
		}
	},
	"getGiftCards":    func(e *example) any { return []object{e.card("active", nil)} },
	"searchGiftCards": func(e *example) any { return []object{e.card("active", nil)} },
	"getGiftCardDetails": func(e *example) any {
		var transactions any
		if e.request.URL.Query().Get("include_transactions") == "true" {
			transactions = []object{e.transaction()}
		}
		return e.card("active", object{"transactions": transactions})
	},
	"reloadGiftCardByNumber":     func(e *example) any { return e.card("active", object{"balance": "35.00"}) },
	"activateGiftCard":           func(e *example) any { return e.card("active", object{"activatedAt": e.timestamp(e.now)}) },
	"reloadGiftCard":             func(e *example) any { return e.card("active", object{"balance": "35.00"}) },
	"resumeGiftCard":             func(e *example) any { return e.card("active", nil) },
	"resendGiftCardSecurityCode": func(e *example) any { return e.card("active", object{"delivered": false}) },
	"voidGiftCard":               func(e *example) any { return e.card("voided", object{"balance": "0.00"}) },
	"suspendGiftCard": func(e *example) any {
		return e.card("suspended", object{"suspendedReason": "Reported as lost", "suspendedAt": e.timestamp(e.now)})
	},
	"scheduleGiftCardDelivery": func(e *example) any {
		return e.card("pending", object{"balance": "0.00", "activatedAt": nil, "delivered": false, "deliverAt": e.timestamp(e.now.AddDate(0, 0, 7))})
	},
	"transferGiftCardOwnership": func(e *example) any {
		return e.card("active", object{"customerName": "Grace", "customerEmail": "grace@example.com", "delivered": false})
	},
	"redeemGiftCard": func(e *example) any {
		return object{
			"transactionId": exampleTransaction, "giftCardId": e.param("cardId"), "amountRedeemed": "10.00", "remainingBalance": "15.00",
			"success": true, "message": "Gift card redeemed",
		}
	},
	"refundGiftCardTransaction": func(e *example) any {
		return object{
			"transactionId": exampleTransaction, "giftCardId": e.param("cardId"), "refundedAmount": "10.00", "remainingBalance": "25.00",
			"success": true, "message": "Transaction refunded",
		}
	},
	"transferGiftCardBalance": func(e *example) any {
		return object{
			"success": true, "message": "Gift card balance transferred", "transferId": exampleTransaction, "amountTransferred": "10.00",
			"sourceCard":      object{"id": e.param("cardId"), "cardNumber": exampleNumber, "remainingBalance": "15.00"},
			"destinationCard": object{"id": exampleOther, "cardNumber": otherNumber, "newBalance": "10.00"},
		}
	},
	"processExpiredCard": func(e *example) any {
		return object{
			"success": true, "cardId": e.param("cardId"), "action": "extend", "message": "Gift card extended",
			"newExpiresAt": e.timestamp(e.expiry()), "transactionId": nil,
		}
	},
	"consolidateGiftCards": func(e *example) any {
		return object{
			"success": true, "message": "Gift cards consolidated", "newCard": e.card("active", object{"id": exampleOther, "balance": "50.00", "initialValue": "50.00"}),
			"voidedCards": []string{exampleCard}, "totalConsolidatedAmount": "50.00", "consolidationTransactions": []string{exampleTransaction}, "referenceId": nil,
		}
	},
	"checkGiftCardBalance":         checkedCard,
	"customerCheckGiftCardBalance": checkedCard,
	"getBusinessReports": func(*example) any {
		return object{
			"totalCards": 12, "activeCards": 6, "pendingCards": 3, "depletedCards": 1, "expiredCards": 1, "voidedCards": 1,
			"totalSold": "225.00", "totalRedeemed": "80.00", "totalBalance": "145.00", "cardsSoldThisMonth": 4, "salesThisMonth": "100.00",
		}
	},
	"getExpirationWarnings": func(e *example) any {
		return object{
			"reportId": exampleOther, "generatedAt": e.timestamp(e.now), "count30d": 1, "count60d": 0, "count90d": 0,
			"warnings": []object{{
				"cardId": exampleCard, "cardNumber": exampleNumber, "customerEmail": "ada@example.com", "customerName": "Ada",
				"daysUntilExpiry": 14, "warningLevel": "30d", "expiresAt": e.timestamp(e.now.AddDate(0, 0, 14)), "balance": "25.00",
			}},
		}
	},
	"getEscheatmentReport": func(e *example) any {
		return object{
			"reportId": exampleOther, "generatedAt": e.timestamp(e.now), "jurisdiction": "unspecified", "dormancyThresholdDays": 1095,
			"totalLiability": "25.00", "entriesCount": 1,
			"entries": []object{{
				"cardId": exampleCard, "cardNumber": exampleNumber, "balance": "25.00", "lastActivityDate": e.timestamp(e.now.AddDate(0, 0, -1100)), "dormancyDays": 1100,
				"jurisdiction": "unspecified", "liabilityAmount": "25.00", "customerEmail": "ada@example.com", "merchantId": exampleMerchant,
			}},
		}
	},
	"login_for_access_token": func(*example) any {
		return object{"accessToken": "eyJhbGciOiJFZERTQSJ9.c2FuZGJveA.c2FuZGJveA", "tokenType": "bearer", "mfaPending": false, "pendingToken": nil} //nolint:gosec // no real token
	},
	"get_token_info": func(*example) any {
		return object{
			"id": exampleUser, "email": "till@example.com", "name": nil, "emailVerified": nil, "active": true, "admin": false,
			"image": nil, "location": nil, "website": nil,
		}
	},
	"logout":  func(*example) any { return object{} },
	"healthz": func(*example) any { return object{"status": "ok"} },
	"readyz":  func(*example) any { return object{"status": "ok"} },
}

func checkedCard(e *example) any {
	return object{
		"id": exampleCard, "programId": e.param("programId"), "cardNumber": exampleNumber, "lastFourDigits": exampleNumber[12:],
		"balance": "25.00", "status": "active", "expiresAt": e.timestamp(e.expiry()), "isActive": true,
	}
}

// task returns the task that the request's path names.
func (e *example) task() string {
	if task, err := uuid.Parse(e.op.params["taskId"]); err == nil {
		return task.String()
	}
	return exampleTask
}
