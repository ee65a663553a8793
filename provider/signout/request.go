package signout

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// verdict is what a logout request came to: it travels in a handle, and the ID token itself does not.
type verdict struct {
	Client  string `json:"c,omitempty"` // who asks
	Proven  bool   `json:"p,omitempty"` // a valid hint says so, not the bare client_id
	SID     string `json:"s,omitempty"` // of the hint
	Subject string `json:"u,omitempty"` // of the hint, as that client knows the user
	Target  string `json:"t,omitempty"` // post_logout_redirect_uri, registered with Client
	State   string `json:"a,omitempty"`
	Problem string `json:"e,omitempty"` // what is wrong with the request, for the person
}

// judge checks a logout request (RP-Initiated Logout 1.0 §2, §3). logout_hint and ui_locales are read by nobody: the first proves nothing and a
// browser has one session, and the texts are in one language. What is wrong stands in Problem: then nothing is followed, but the
// person may still sign out.
func (h *Handler) judge(ctx context.Context, v url.Values) (verdict, error) {
	var d verdict
	if text := v.Get("id_token_hint"); text != "" {
		hint, err := h.Hints.VerifyHint(text)
		if err != nil {
			d.Problem = "The id_token_hint is not an ID token of this provider."
			return d, nil
		}
		d.Client, d.Proven, d.SID, d.Subject = hint.Client, true, hint.SID, hint.Subject
	}
	if id := v.Get("client_id"); id != "" {
		if d.Proven && id != d.Client {
			return verdict{Problem: "The client_id is not that of the application which the id_token_hint was issued to."}, nil
		}
		d.Client = id
	}
	if d.Client == "" {
		// A target without a client cannot be shown to be legitimate: it is not followed, and not shown (§3).
		return d, nil
	}
	client, err := h.Store.Client(ctx, d.Client)
	switch gone := errors.Is(err, storage.ErrNotFound) || err == nil && client.Disabled; {
	case gone && d.Proven:
		return verdict{}, nil // the application was removed meanwhile; the person may still sign out
	case gone:
		return verdict{Problem: "The client_id is not one of an application that is known here."}, nil
	case err != nil:
		return verdict{}, err
	}
	if target := v.Get("post_logout_redirect_uri"); target != "" {
		if !slices.Contains(client.PostLogoutRedirectURIs, target) { // byte for byte, query included
			d.Problem = "The post_logout_redirect_uri is not registered for this application."
			return d, nil
		}
		d.Target, d.State = target, v.Get("state")
	}
	return d, nil
}

// current is a verdict that travelled in a handle, without a target that its application has lost since.
func (h *Handler) current(ctx context.Context, d verdict) (verdict, error) {
	client, err := h.Store.Client(ctx, d.Client)
	if err != nil || client.Disabled || !slices.Contains(client.PostLogoutRedirectURIs, d.Target) {
		d.Target, d.State = "", ""
	}
	return d, ignoreMissing(err)
}

// ours tells whether the hint belongs to this session: by its sid, which is of one application's share of one session, or, where it has none as in
// what offline access was given, by its subject. A share that has ended belongs to no session any more.
func (h *Handler) ours(ctx context.Context, d verdict, s *storage.Session) (bool, error) {
	if !d.Proven {
		return false, nil
	}
	if d.SID != "" {
		m := s.Member(d.Client)
		return m != nil && m.SID == d.SID, nil
	}
	client, err := h.Store.Client(ctx, d.Client)
	if err != nil {
		return false, ignoreMissing(err)
	}
	return h.SubjectFor(s.Subject, client) == d.Subject, nil
}

// target is the post-logout redirect with its state: added correctly where the URI has a query, and byte for byte.
func (d verdict) target() string {
	if d.Target == "" || d.State == "" {
		return d.Target
	}
	separator := "?"
	if strings.Contains(d.Target, "?") {
		separator = "&"
	}
	return d.Target + separator + "state=" + url.QueryEscape(d.State)
}

// application is who asked, as pages show it.
func (h *Handler) application(ctx context.Context, d verdict) *templates.Application {
	if d.Client == "" {
		return nil
	}
	client, err := h.Store.Client(ctx, d.Client)
	if err != nil {
		return nil
	}
	return h.Site.Application(client, d.Target)
}

// read takes the request from the query of a GET, the form of a POST, or the handle that a POST was turned into.
func (h *Handler) read(r *http.Request) (verdict, error) {
	v, err := web.Params(r)
	if err != nil {
		return verdict{}, err
	}
	if handle := v.Get("request"); handle != "" {
		var d verdict
		if _, err := h.Site.OpenHandle(r, purposeRequest, handle, &d); err != nil {
			return d, err
		}
		return h.current(r.Context(), d)
	}
	return h.judge(r.Context(), v)
}
