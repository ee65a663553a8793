package provider_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/storage"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestRevocationMatrix walks the table: after each cause it presents each artefact at every endpoint that takes it. It also holds each cause to its
// reason in audit and report, and to whom it tells.
func TestRevocationMatrix(t *testing.T) {
	for _, c := range causes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { checkCause(t, c, false) })
			synctest.Test(t, func(t *testing.T) { checkCause(t, c, true) })
		})
	}
}

// letters is c.dies, a letter for each artefact.
func (c terminationCause) letters() []rune { return []rune(strings.ReplaceAll(c.outcomes, " ", "")) }

func checkCause(t *testing.T, c terminationCause, keep bool) {
	h := mustSetUpScenario(t, keep, c.configure)
	before := len(h.clients.sent())
	c.trigger(h)
	synctest.Wait()
	if keep { // all else does not depend on it
		if got, want := h.sessionActive(h.oldLaptop), c.letters()[1] == '+'; got != want {
			t.Errorf("got the kept session alive: %v, want %v", got, want)
		}
		return
	}
	h.mustNotify(c, h.clients.sent()[before:])
	h.mustAudit(c)
	// What is dead is so in the same millisecond. What lives is looked at in the next: a code of the ending's own would be taken for an older one.
	for _, living := range []bool{false, true} {
		for i, a := range artifacts {
			if verdict := c.letters()[i]; a.present != nil && verdict != '.' && (verdict != 'x') == living {
				h.checkArtifact(a.name, a.present, verdict)
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
func (h *scenario) checkArtifact(name string, present func(*scenario) bool, verdict rune) {
	h.t.Helper()
	if verdict == 'p' {
		right := h.password
		if h.password = ""; present(h) {
			h.t.Errorf("%s: got in without the password", name)
		}
		h.password = right
	}
	if got, want := present(h), verdict != 'x'; got != want {
		h.t.Errorf("%s: got %v, want %v (%s)", name, got, want, outcomeNames[verdict])
	}
}

// mustNotify wants logout tokens for exactly those applications.
func (h *scenario) mustNotify(c terminationCause, posts []post) {
	h.t.Helper()
	var told []string
	for _, p := range posts {
		if client, _ := claims(h.t, p.Form.Get("logout_token"))["aud"].(string); !slices.Contains(told, client) {
			told = append(told, client)
		}
	}
	slices.Sort(told)
	if !slices.Equal(told, c.notified) {
		h.t.Errorf("got %v told, want %v", told, c.notified)
	}
}

// mustAudit wants the reason in audit and report, once for each thing that ended.
func (h *scenario) mustAudit(c terminationCause) {
	h.t.Helper()
	if c.reason == "" {
		return
	}
	events, _, err := h.store.ListEvents(h.t.Context(), storage.EventFilter{Reason: c.reason}, storage.Page{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	ended := slices.DeleteFunc(events, func(e storage.Event) bool { return !strings.HasSuffix(e.Kind, ".ended") })
	if len(ended) == 0 {
		h.t.Errorf("got no audit line with reason %s", c.reason)
	}
	reports, _, err := h.store.ListReports(h.t.Context(), storage.ReportFilter{}, storage.Page{})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range reports {
		if r.Cause.Reason != c.reason {
			h.t.Errorf("got a report with reason %s, want %s", r.Cause.Reason, c.reason)
		}
		for _, seq := range r.Audit {
			if !slices.ContainsFunc(ended, func(e storage.Event) bool { return e.Seq == seq && e.Cause == r.Cause.ID }) {
				h.t.Errorf("got a report that names the audit line %d, which is not of its ending", seq)
			}
		}
	}
	if len(c.notified) > 0 && len(reports) == 0 {
		h.t.Error("got no report")
	}
}

// TestEveryReasonIsInTheTable: a cause that somebody adds must be walked.
func TestEveryReasonIsInTheTable(t *testing.T) {
	for _, reason := range []storage.Reason{storage.ReasonLogout, storage.ReasonAccount, storage.ReasonIdle, storage.ReasonAbsolute, storage.ReasonOtherUser,
		storage.ReasonPasswordChange, storage.ReasonPasswordReset, storage.ReasonEmailChange, storage.ReasonNotMe, storage.ReasonAdmin, storage.ReasonUserDisabled,
		storage.ReasonUserRemoved, storage.ReasonClientSignOut, storage.ReasonConsentWithdrawn, storage.ReasonClientDisabled, storage.ReasonClientRemoved,
		storage.ReasonRefreshReuse, storage.ReasonCodeReuse, storage.ReasonTokenRevoked, storage.ReasonOfflineAccessEnded, storage.ReasonClientChanged} {
		if !slices.ContainsFunc(causes, func(c terminationCause) bool { return c.reason == reason }) {
			t.Errorf("got no cause with reason %s in the table", reason)
		}
	}
	for _, c := range causes {
		if len(c.letters()) != len(artifacts) {
			t.Errorf("%s: got %d verdicts, want %d", c.name, len(c.letters()), len(artifacts))
		}
	}
}

// TestDocsMatchRevocationMatrix keeps the table of docs/logging-out.md to the one that was walked. Run with -update to write both anew.
func TestDocsMatchRevocationMatrix(t *testing.T) {
	const golden, docs, from, to = "testdata/revocation.md", "../docs/logging-out.md", "<!-- table: provider/testdata/revocation.md -->\n", "<!-- end of table -->"
	var b strings.Builder
	b.WriteString("| |")
	for _, a := range artifacts {
		b.WriteString(" " + a.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(artifacts)) + "\n")
	for _, c := range causes {
		b.WriteString("| " + c.name + " |")
		for _, letter := range c.letters() {
			b.WriteString(" " + outcomeNames[letter] + " |")
		}
		b.WriteString("\n")
	}
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begins := strings.Cut(string(page), from)
	table, tail, ends := strings.Cut(rest, to)
	if !begins || !ends {
		t.Fatalf("got no place for the table in %s", docs)
	}
	if *update {
		for name, text := range map[string]string{golden: b.String(), docs: head + from + b.String() + to + tail} {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	stored, err := os.ReadFile(golden)
	if err != nil || string(stored) != b.String() {
		t.Errorf("%s is not the table that is walked (%v); run this test with -update", golden, err)
	}
	if table != b.String() {
		t.Errorf("%s does not have the table that is walked; run this test with -update", docs)
	}
}
