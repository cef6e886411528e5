package server

import (
	"reflect"
	"slices"
	"testing"

	"giftcards/gen/api"
	"giftcards/store"
)

// TestEveryOperationSaysWhichRolesMayUseIt, and no other operation is named.
func TestEveryOperationSaysWhichRolesMayUseIt(t *testing.T) {
	t.Parallel()
	operations := reflect.TypeFor[api.StrictServerInterface]()
	for operation := range operations.Methods() {
		if _, named := permissions[operation.Name]; !named {
			t.Errorf("no roles are declared for %s: name it in permissions", operation.Name)
		}
	}
	roles := []string{store.RoleIssuer, store.RoleCashier, store.RoleReader}
	for name, p := range permissions {
		if _, ok := operations.MethodByName(name); !ok {
			t.Errorf("permissions has %s, which is no operation", name)
		}
		allowed := 0
		for _, role := range p.roles {
			if allowed++; !slices.Contains(roles, role) {
				t.Errorf("%s: no user has the role %s", name, role)
			}
		}
		if refuses := allowed > 0 && allowed < len(roles); refuses != (p.refusal != nil) {
			t.Errorf("%s: %d roles may use it, and the refusal is %v", name, allowed, p.refusal)
		}
	}
}
