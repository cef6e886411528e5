package storetest

import (
	"context"
	"testing"

	"giftcards/store"
)

// Sandbox is URL for the database of a sandbox, which ServingRole may serve.
func Sandbox(t testing.TB) string {
	t.Helper()
	url := URL(t)
	if err := store.Install(t.Context(), url, true); err != nil {
		t.Fatalf("mark the test's database as a sandbox: %v", err)
	}
	if err := grant(context.WithoutCancel(t.Context()), url); err != nil {
		t.Fatalf("grant the role to serve a sandbox: %v", err)
	}
	return url
}
