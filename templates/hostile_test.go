package templates

import (
	"bytes"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// hostile strings, for every field that is shown or linked.
var hostile = []string{
	`"><script>alert(1)</script>`,
	`'><img src=x onerror=alert(1)>`,
	`" onfocus="alert(1)" autofocus="`,
	`' style='position:fixed`,
	`</title></textarea></script><svg/onload=alert(1)>`,
	`<!--`, `]]>`, "`${alert(1)}`", `{{.}}`, "\u2028alert(1)", "\x00<b>", `&lt;script&gt;`,
	`javascript:alert(1)`, `JaVaScRiPt:alert(1)`, ` javascript:alert(1)`, "java\nscript:alert(1)", "\x01javascript:alert(1)",
	`data:text/html,<script>alert(1)</script>`, `vbscript:x`, `blob:https://evil.example/1`, `filesystem:x`, `about:blank`, `view-source:x`,
	`//evil.example/`, `///evil.example/`, `\\evil.example`, `/\evil.example`, `https:\\evil.example`, `https:evil.example`,
}

// everyPage renders each page with fill's strings in all of its fields.
func everyPage(fill func(reflect.Value)) map[string]func(io.Writer) error {
	all := map[string]func(io.Writer) error{}
	add := func(name string, page any, render func(io.Writer, any) error) {
		v := reflect.New(reflect.TypeOf(page)).Elem()
		fill(v)
		all[name] = func(w io.Writer) error { return render(w, v.Interface()) }
	}
	add("signin", SignInPage{}, func(w io.Writer, p any) error { return SignIn(w, p.(SignInPage)) })
	add("signinagain", SignInAgainPage{}, func(w io.Writer, p any) error { return SignInAgain(w, p.(SignInAgainPage)) })
	add(
		"chooseaccount",
		ChooseAccountPage{},
		func(w io.Writer, p any) error { return ChooseAccount(w, p.(ChooseAccountPage)) },
	)
	add("consent", ConsentPage{}, func(w io.Writer, p any) error { return Consent(w, p.(ConsentPage)) })
	add("signout", SignOutPage{}, func(w io.Writer, p any) error { return SignOut(w, p.(SignOutPage)) })
	add("signedout", SignedOutPage{}, func(w io.Writer, p any) error { return SignedOut(w, p.(SignedOutPage)) })
	add("meaning", MeaningPage{}, func(w io.Writer, p any) error { return Meaning(w, p.(MeaningPage)) })
	add("error", ErrorPage{}, func(w io.Writer, p any) error { return Error(w, p.(ErrorPage)) })
	add("formpost", FormPostPage{}, func(w io.Writer, p any) error {
		page := p.(FormPostPage)
		page.Action = "https://atlas.example/callback"
		return FormPost(w, page)
	})
	add("repost", RepostPage{}, func(w io.Writer, p any) error { return Repost(w, p.(RepostPage)) })
	add("sessions", SessionsPage{}, func(w io.Writer, p any) error { return Sessions(w, p.(SessionsPage)) })
	add(
		"applications",
		ApplicationsPage{},
		func(w io.Writer, p any) error { return Applications(w, p.(ApplicationsPage)) },
	)
	add("security", SecurityPage{}, func(w io.Writer, p any) error { return Security(w, p.(SecurityPage)) })
	add("activity", ActivityPage{}, func(w io.Writer, p any) error { return Activity(w, p.(ActivityPage)) })
	add("report", ReportPage{}, func(w io.Writer, p any) error { return Report(w, p.(ReportPage)) })
	add("confirmemail", ConfirmEmailPage{}, func(w io.Writer, p any) error { return ConfirmEmail(w, p.(ConfirmEmailPage)) })
	add("signup", SignUpPage{}, func(w io.Writer, p any) error { return SignUp(w, p.(SignUpPage)) })
	add("notme", NotMePage{}, func(w io.Writer, p any) error { return NotMe(w, p.(NotMePage)) })
	add("forgot", ForgotPage{}, func(w io.Writer, p any) error { return Forgot(w, p.(ForgotPage)) })
	add(
		"resetpassword",
		ResetPasswordPage{},
		func(w io.Writer, p any) error { return ResetPassword(w, p.(ResetPasswordPage)) },
	)
	add(
		"passwordchanged",
		PasswordChangedPage{},
		func(w io.Writer, p any) error { return PasswordChanged(w, p.(PasswordChangedPage)) },
	)
	add("passkey", PasskeyPage{}, func(w io.Writer, p any) error { return PasskeySignIn(w, p.(PasskeyPage)) })
	add(
		"enrolpasskey",
		EnrolPasskeyPage{},
		func(w io.Writer, p any) error { return EnrolPasskey(w, p.(EnrolPasskeyPage)) },
	)
	add("code", CodePage{}, func(w io.Writer, p any) error { return Code(w, p.(CodePage)) })
	add("enroltotp", EnrolTOTPPage{}, func(w io.Writer, p any) error { return EnrolTOTP(w, p.(EnrolTOTPPage)) })
	add(
		"recoverycodes",
		RecoveryCodesPage{},
		func(w io.Writer, p any) error { return RecoveryCodes(w, p.(RecoveryCodesPage)) },
	)
	add("factors", FactorsPage{}, func(w io.Writer, p any) error { return Factors(w, p.(FactorsPage)) })
	add("message", MessagePage{}, func(w io.Writer, p any) error { return Message(w, p.(MessagePage)) })
	return all
}

// fill puts s into every string below v, one element into every slice, something into every pointer, and true into
// every bool.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(2)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), s)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s)
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			v.Set(reflect.ValueOf(sampleNow))
			return
		}
		for i := range v.NumField() {
			if !v.Field(i).CanSet() { // unexported: the page sets it itself
				continue
			}
			fill(v.Field(i), s)
		}
	}
}

func TestEveryPageOfThePackageIsAttacked(t *testing.T) {
	attacked := everyPage(func(reflect.Value) {})
	for page := range texts().locale(defaultLanguage).pages() {
		if attacked[page] == nil {
			t.Errorf("page %s is missing from everyPage", page)
		}
	}
}

func TestHostileStringsStayText(t *testing.T) {
	// A text that is no link either, so that both documents must have the same elements with the same attributes.
	harmless := shapes(t, "no: link")
	for _, s := range hostile {
		for page, got := range shapes(t, s) {
			if want := harmless[page]; got != want && safeURL(s) == "" {
				t.Errorf("%q changes the elements of page %s:\ngot  %s\nwant %s", s, page, got, want)
			}
		}
	}
}

func TestNoLinkRunsAScriptOrLeavesUnnoticed(t *testing.T) {
	for _, s := range hostile {
		for page, render := range everyPage(func(v reflect.Value) { fill(v, s) }) {
			var b bytes.Buffer
			if err := render(&b); err != nil {
				t.Fatal(err)
			}
			for _, e := range mustParse(t, b.Bytes()) {
				for name, value := range e.attr {
					switch name {
					case "href",
						"src",
						"action",
						"formaction",
						"data-status-url",
						"data-continue-url",
						"data-probe-url",
						"data-ended-url",
						"content":
					default:
						if strings.HasPrefix(name, "on") || name == "style" || name == "srcdoc" {
							t.Errorf("%q makes an attribute %s on page %s", s, name, page)
						}
						continue
					}
					value = strings.TrimSpace(strings.TrimPrefix(value, "5; url="))
					if scheme, _, ok := strings.Cut(value, ":"); ok && !strings.ContainsAny(scheme, "/?#") &&
						scheme != "https" &&
						scheme != "http" {
						t.Errorf("%q on page %s: got %s=%q", s, page, name, value)
					}
					if strings.HasPrefix(value, "//") || strings.Contains(value, `\`) {
						t.Errorf("%q on page %s: got %s=%q", s, page, name, value)
					}
				}
			}
		}
	}
}

// shapes are the elements and attribute names of each page with s in all its fields.
func shapes(t *testing.T, s string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for page, render := range everyPage(func(v reflect.Value) { fill(v, s) }) {
		var b bytes.Buffer
		if err := render(&b); err != nil {
			t.Fatalf("page %s with %q: %v", page, s, err)
		}
		var shape strings.Builder
		for _, e := range mustParse(t, b.Bytes()) {
			shape.WriteString(" " + e.name)
			for _, a := range slices.Sorted(maps.Keys(e.attr)) {
				shape.WriteString("." + a)
			}
		}
		all[page] = shape.String()
	}
	return all
}

func TestLinksThatMayBeFollowed(t *testing.T) {
	for _, s := range []string{
		"/account",
		"?a=b",
		"#x",
		"https://atlas.example/?a=b&c=%20d",
		"http://localhost:8080/",
		"com.example.app:/signed-out",
		"com.example.app://x",
	} {
		if got := safeURL(s); string(got) != s {
			t.Errorf("link(%q): got %q, want it unchanged", s, got)
		}
	}
	for _, s := range append([]string{"mailto:a@b", "https:///x", "https://a b/"}, hostile[12:]...) {
		if got := safeURL(s); got != "" {
			t.Errorf("link(%q): got %q, want nothing", s, got)
		}
	}
}

// TestAppLinksMayHaveTheSchemesOfTheirApp: a scheme without a dot that an operator allowed for one app is no link for
// another app.
func TestAppLinksMayHaveTheSchemesOfTheirApp(t *testing.T) {
	const target = "cursor://signed-out?state=1"
	cursor := &App{Name: "Cursor", Schemes: []string{"cursor"}}
	if got := safeAppURL(target, cursor); string(got) != target {
		t.Errorf("got %q, want the link of the app unchanged", got)
	}
	for _, app := range []*App{nil, {Name: "Atlas"}, {Name: "Zed", Schemes: []string{"zed"}}} {
		if got := safeAppURL(target, app); got != "" {
			t.Errorf("got %q for %+v, want nothing", got, app)
		}
	}
	for _, s := range append([]string{"cursor://a b", "cursor://a\\b"}, hostile[12:]...) {
		if got := safeAppURL(s, cursor); got != "" {
			t.Errorf("%q: got %q, want nothing", s, got)
		}
	}
	var b bytes.Buffer
	if err := FormPost(&b, FormPostPage{Action: target, Application: *cursor}); err != nil {
		t.Errorf("FormPost to %q: %v", target, err)
	}
}

func TestFormPostGoesNowhereElse(t *testing.T) {
	for _, action := range []string{"", "javascript:alert(1)", "//evil.example"} {
		var b bytes.Buffer
		if err := FormPost(&b, FormPostPage{Action: action}); err == nil || b.Len() > 0 {
			t.Errorf("FormPost to %q: got %d bytes and error %v, want an error and nothing", action, b.Len(), err)
		}
	}
}
