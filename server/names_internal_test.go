package server

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"giftcards/gen/api"
	"giftcards/openapi"
)

// TestStoredNamesOfOperationsAreThoseOfTheDocument: a stored name is the operation's Go name with a
// small first letter. Go names come from openapi/generate.yaml. If a change there changed a stored
// name, a retry would no longer find its idempotency key.
func TestStoredNamesOfOperationsAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	handlers := reflect.TypeFor[api.StrictServerInterface]()
	document, err := openapi.Load()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, path := range document.Paths.Map() {
		for _, operation := range path.Operations() {
			ids = append(ids, operation.OperationID)
		}
	}
	asInDocument := []string{
		createOperation, bulkOperation, downloadOperation, activateOperation, redeemOperation, reloadOperation, reloadByNumberOperation, voidOperation,
		suspendOperation, resumeOperation, refundOperation, transferOperation, consolidateOperation, resendOperation, scheduleOperation, ownershipOperation,
	}
	for _, name := range asInDocument {
		if !slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, name+"_") }) {
			t.Errorf("no operation is called %s in the document", name)
		}
	}
	for name, path := range map[string]string{
		createOperation: "/v2/giftcards/programs/{programId}/cards",
		bulkOperation:   "/v2/giftcards/programs/{programId}/cards/bulk",

		transferOperation:    "/v2/giftcards/programs/{programId}/cards/{cardId}/transfer",
		consolidateOperation: "/v2/giftcards/programs/{programId}/consolidate",
	} {
		if id := document.Paths.Find(path).Post.OperationID; !strings.HasPrefix(id, name+"_") {
			t.Errorf("POST %s is the operation %s, its keys are stored under %s", path, id, name)
		}
	}
	// The document calls the last three by other names.
	for _, name := range append(asInDocument, expiredOperation, loginOperation, logoutOperation) {
		if _, ok := handlers.MethodByName(strings.ToUpper(name[:1]) + name[1:]); !ok {
			t.Errorf("no operation is called %s in the generated code", name)
		}
	}
}
