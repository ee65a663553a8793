package provider_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestRevocationMatrix walks the table: after each cause it presents each artefact at every endpoint that takes it.
// It also holds each cause to its reason in audit and report, and the clients it notifies.
func TestRevocationMatrix(t *testing.T) {
	for _, c := range causes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { checkCause(t, c) })
			synctest.Test(t, func(t *testing.T) { checkCookie(t, c, rememberedCookie, signInOptions{remember: true}) })
			synctest.Test(t, func(t *testing.T) { checkCookie(t, c, upstreamCookie, signInOptions{upstream: true}) })
		})
	}
}

// letters splits c.outcomes, a letter for each artifact.
func (c terminationCause) letters() []rune { return []rune(strings.ReplaceAll(c.outcomes, " ", "")) }

// signInOptions returns how alice signs in on the laptop, unless the cause needs nothing special.
func (c terminationCause) signInOptions() signInOptions {
	expires := c.reason == storage.ReasonUpstreamExpired
	fromUpstream := expires || slices.Contains([]storage.Reason{
		storage.ReasonUpstreamLogout,
		storage.ReasonUpstreamRecheck,
		storage.ReasonUnlinked,
	}, c.reason)
	return signInOptions{upstream: fromUpstream, upstreamExpires: expires}
}

// checkCookie presents only the session cookie, after a sign-in with options. column is its column of the table.
func checkCookie(t *testing.T, c terminationCause, column int, options signInOptions) {
	if c.letters()[column] == '.' {
		return
	}
	options.upstreamExpires = c.signInOptions().upstreamExpires
	h := mustSetUpScenario(t, options, c.configure)
	c.trigger(h)
	synctest.Wait()
	if got, want := h.sessionActive(h.oldLaptop), c.letters()[column] == '+'; got != want {
		t.Errorf("%s: got the session active: %v, want %v", artifacts[column].name, got, want)
	}
}

func checkCause(t *testing.T, c terminationCause) {
	h := mustSetUpScenario(t, c.signInOptions(), c.configure)
	before := len(h.Clients.Sent())
	c.trigger(h)
	synctest.Wait()
	h.mustNotify(c, h.Clients.Sent()[before:])
	h.mustAudit(c)
	// Revoked artifacts are refused in the same millisecond. Active ones are presented in the next one.
	for _, expectActive := range []bool{false, true} {
		for i, a := range artifacts {
			want := c.letters()[i]
			if active := want != 'x' && want != 'f'; a.present != nil && want != '.' && active == expectActive {
				h.checkArtifact(a.name, a.present, want)
			}
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Minute) // as long as a JWT access token lives
	if h.verifiesLocally(h.jwtTokens.AccessToken) {
		t.Error("got a JWT access token accepted after its bound")
	}
}

// checkArtifact presents one artefact.
func (h *scenario) checkArtifact(name string, present func(*scenario) bool, outcome rune) {
	h.t.Helper()
	if outcome == 'p' {
		right := h.password
		if h.password = ""; present(h) {
			h.t.Errorf("%s: got in without the password", name)
		}
		h.password = right
	}
	if got, want := present(h), outcome != 'x' && outcome != 'f'; got != want {
		h.t.Errorf("%s: got %v, want %v (%s)", name, got, want, outcomeNames[outcome])
	}
}

// mustNotify wants logout tokens for exactly the clients of c.notified.
func (h *scenario) mustNotify(c terminationCause, posts []providertest.Post) {
	h.t.Helper()
	var notified []string
	for _, p := range posts {
		if client, _ := providertest.MustReadClaims(h.t, p.Form.Get("logout_token"))["aud"].(string); !slices.Contains(
			notified,
			client,
		) {
			notified = append(notified, client)
		}
	}
	slices.Sort(notified)
	if !slices.Equal(notified, c.notified) {
		h.t.Errorf("got %v notified, want %v", notified, c.notified)
	}
}

// mustAudit wants the reason in audit and report, once for each thing that ended.
func (h *scenario) mustAudit(c terminationCause) {
	h.t.Helper()
	if c.reason == "" {
		return
	}
	events, _, err := h.Store.ListEvents(
		h.t.Context(),
		storage.EventFilter{Reason: c.reason},
		storage.Page{Limit: 1000},
	)
	if err != nil {
		h.t.Fatal(err)
	}
	ended := slices.DeleteFunc(events, func(e storage.Event) bool { return !strings.HasSuffix(e.Kind, ".ended") })
	if len(ended) == 0 {
		h.t.Errorf("got no audit line with reason %s", c.reason)
	}
	reports, _, err := h.Store.ListReports(h.t.Context(), storage.ReportFilter{}, storage.Page{})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range reports {
		if r.Cause.Reason != c.reason {
			h.t.Errorf("got a report with reason %s, want %s", r.Cause.Reason, c.reason)
		}
		for _, seq := range r.Audit {
			if !slices.ContainsFunc(
				ended,
				func(e storage.Event) bool { return e.Seq == seq && e.Cause == r.Cause.ID },
			) {
				h.t.Errorf("got a report that names the audit line %d, which belongs to another termination", seq)
			}
		}
	}
	if len(c.notified) > 0 && len(reports) == 0 {
		h.t.Error("got no report")
	}
}

// TestEveryReasonIsInTheTable fails for a new reason without a cause in the table.
func TestEveryReasonIsInTheTable(t *testing.T) {
	for _, reason := range []storage.Reason{
		storage.ReasonLogout,
		storage.ReasonAccount,
		storage.ReasonIdle,
		storage.ReasonAbsolute,
		storage.ReasonOtherUser,
		storage.ReasonPasswordChange,
		storage.ReasonFactorChange,
		storage.ReasonPasswordReset,
		storage.ReasonEmailChange,
		storage.ReasonNotMe,
		storage.ReasonAdmin,
		storage.ReasonUserDisabled,
		storage.ReasonUserRemoved,
		storage.ReasonClientSignOut,
		storage.ReasonConsentWithdrawn,
		storage.ReasonClientDisabled,
		storage.ReasonClientRemoved,
		storage.ReasonRefreshReuse,
		storage.ReasonCodeReuse,
		storage.ReasonTokenRevoked,
		storage.ReasonOfflineAccessEnded,
		storage.ReasonClientChanged,
		storage.ReasonUpstreamLogout,
		storage.ReasonUpstreamExpired,
		storage.ReasonUpstreamRecheck,
		storage.ReasonUnlinked,
		storage.ReasonGroupLeft,
		storage.ReasonRestore,
	} {
		if !slices.ContainsFunc(causes, func(c terminationCause) bool { return c.reason == reason }) {
			t.Errorf("got no cause with reason %s in the table", reason)
		}
	}
	for _, c := range causes {
		if len(c.letters()) != len(artifacts) {
			t.Errorf("%s: got %d outcomes, want %d", c.name, len(c.letters()), len(artifacts))
		}
	}
}

// TestDocsMatchRevocationMatrix holds the table of docs/what-dies-when.md to the one that TestRevocationMatrix walks.
// Run it with -update to write the table anew.
func TestDocsMatchRevocationMatrix(t *testing.T) {
	const (
		docs  = "../docs/what-dies-when.md"
		begin = "<!-- table of TestRevocationMatrix -->\n"
		end   = "<!-- end of table -->"
	)
	var want strings.Builder
	want.WriteString("| |")
	for _, a := range artifacts {
		want.WriteString(" " + a.name + " |")
	}
	want.WriteString("\n|---|" + strings.Repeat("---|", len(artifacts)) + "\n")
	for _, c := range causes {
		want.WriteString("| " + c.name + " |")
		for _, letter := range c.letters() {
			want.WriteString(" " + outcomeNames[letter] + " |")
		}
		want.WriteString("\n")
	}
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, hasBegin := strings.Cut(string(page), begin)
	table, tail, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("got no place for the table in %s", docs)
	}
	if *update {
		if err := os.WriteFile(docs, []byte(head+begin+want.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want.String() {
		t.Errorf("%s does not have the table that is walked; run this test with -update", docs)
	}
}
