package admin_test

import (
	"testing"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

// TestOperatorRemovesFactorsAndWhatTheyGave: a lost phone is no way in any more, and neither is a session that it had.
func TestOperatorRemovesFactorsAndWhatTheyGave(t *testing.T) {
	d := mustStart(t)
	u := d.mustAddUser("ada")
	err := d.store.ChangeFactors(t.Context(), u.Subject, func(f *storage.Factors) error {
		f.TOTP = &storage.TOTP{Wrapped: []byte("wrapped secret"), Created: d.clock.Now()}
		f.Passkeys = []storage.Passkey{{ID: []byte{1, 2, 3}, Name: "Laptop", PublicKey: []byte("k")}}
		f.RecoveryCodes = []storage.Hash{storage.HashOf("code")}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list := must[admin.FactorList](d, 200, "GET", "/users/ada/factors", "")
	if len(list.Factors) != 3 || list.Factors[0].ID != "AQID" || list.Factors[0].Name != "Laptop" {
		t.Fatalf("got %+v, want a passkey, an app and recovery codes", list)
	}
	d.mustFail(404, "not_found", "factor", "DELETE", "/users/ada/factors/AAAA", "")
	must[admin.TerminationResult](d, 200, "DELETE", "/users/ada/factors/AQID", "")
	d.lastEvent("user.factor_removed")
	must[admin.TerminationResult](d, 200, "DELETE", "/users/ada/factors/all", "")
	if list := must[admin.FactorList](d, 200, "GET", "/users/ada/factors", ""); len(list.Factors) != 0 {
		t.Errorf("got %+v after removing all", list)
	}
}
