package browser

import "testing"

// mustGoBackToNothing presses the back button until the sign-in page comes in the account page's place. path is that of
// the issuer.
func (f *firefox) mustGoBackToNothing(path string) {
	f.t.Helper()
	account := "location.pathname === '" + path + "/account'"
	signIn := "location.pathname.startsWith('" + path + "/login/')"
	for range 3 {
		f.mustCall("browsingContext.traverseHistory", map[string]any{"context": f.context, "delta": -1}, nil)
		f.mustWait(exposed + " || !(" + account + ")") // it may be there for a moment, hidden
		if shown, err := f.holds(exposed); err == nil && shown {
			f.t.Error("the back button shows a page of a user who is signed out")
		}
		if there, err := f.holds(signIn); err == nil && there {
			return
		}
	}
	f.t.Error("the account page's place does not come in three steps")
}

func TestBackShowsNothingAfterALogoutInFirefox(t *testing.T) {
	d := mustDemo(t)
	for _, scripts := range []bool{true, false} {
		t.Run(map[bool]string{true: "with scripts", false: "without scripts"}[scripts], func(t *testing.T) {
			f := mustFirefox(t, scripts)
			open := func(t *testing.T) {
				f.t = t
				f.mustSignIn(d.issuer+"/account", "ann", d.ann)
				f.mustWait(exposed)
			}
			t.Run("at the account page", func(t *testing.T) {
				open(t)
				f.mustClick("header .account a")
				f.mustClick("#sign-out")
				f.mustWait("document.getElementById('signed-out')")
				f.mustGoBackToNothing("")
			})
			t.Run("at an application", func(t *testing.T) {
				open(t)
				f.mustGo(d.atlas + "/login")
				f.mustClick("#logout")
				f.mustWait("location.href.startsWith('" + d.atlas + "/?state')")
				f.mustGoBackToNothing("")
			})
			t.Run("elsewhere", func(t *testing.T) {
				open(t)
				f.mustGo(d.atlas)
				d.mustRun(t, "session", "end", "--user", "ann", "--all")
				f.mustGoBackToNothing("")
			})
		})
	}
}
