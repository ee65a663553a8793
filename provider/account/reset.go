package account

import (
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

const purposeReset = "reset"

// ShowReset is GET /reset/{link}: a one-time link that an administrator made. Looking at the page uses nothing up.
func (h *Handler) ShowReset(w http.ResponseWriter, r *http.Request) {
	if user, ok := h.linked(w, r); ok {
		h.reset(w, r, user, templates.Problem{})
	}
}

// linked finds whose password the link sets.
func (h *Handler) linked(w http.ResponseWriter, r *http.Request) (storage.User, bool) {
	link, err := h.Store.Link(r.Context(), storage.HashOf(r.PathValue("link")), h.Site.Now())
	if err == nil && link.Purpose == "reset" {
		user, err := h.Store.User(r.Context(), link.Subject)
		if err == nil && !user.Disabled {
			return user, true
		}
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			h.Site.Error(w, r, web.FaultOf(err))
			return user, false
		}
	} else if err != nil && !errors.Is(err, storage.ErrNotFound) {
		h.Site.Error(w, r, web.FaultOf(err))
		return storage.User{}, false
	}
	h.Site.Error(w, r, web.Fault{Status: http.StatusGone})
	return storage.User{}, false
}

func (h *Handler) reset(w http.ResponseWriter, r *http.Request, user storage.User, problem templates.Problem) {
	handle, err := h.Site.Handle(w, r, purposeReset, user.Subject, pageLife)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	page := templates.ResetPasswordPage{Page: h.Site.Page(r), Action: h.Site.Path(r.URL.EscapedPath()), Handle: handle, Login: user.Name, MinPassword: password.MinCharacters, Problem: problem}
	web.PageHeaders(w, web.PagePolicy{FormSelf: true})
	if problem.What != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.Render(r, templates.ResetPassword(w, page))
}

// Reset is POST /reset/{link}: the link is used, the password set and every session ended in one transaction.
func (h *Handler) Reset(w http.ResponseWriter, r *http.Request) {
	user, ok := h.linked(w, r)
	if !ok {
		return
	}
	form, err := web.Params(r)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	var subject string
	if _, err := h.Site.OpenHandle(r, purposeReset, form.Get("handle"), &subject); err != nil || subject != user.Subject {
		f := web.FaultOf(web.ErrHandle)
		f.Do, f.Link, f.Text = "Nothing was changed.", h.Site.Path(r.URL.EscapedPath()), "Open it again"
		h.Site.Error(w, r, f)
		return
	}
	fresh := form.Get("new-password")
	if fresh != form.Get("repeat-password") {
		h.reset(w, r, user, templates.Problem{What: templates.PasswordsDiffer})
		return
	}
	if problem := h.judge(fresh, user); problem.What != "" {
		h.reset(w, r, user, problem)
		return
	}
	hash, err := h.Hasher.Hash(r.Context(), fresh)
	if err != nil {
		h.Site.Error(w, r, hashFault(err))
		return
	}
	session, here, err := h.Site.Session(r)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	now := h.Site.Now()
	user.Password, user.Updated = hash, now
	cause := storage.Cause{Reason: storage.ReasonPasswordReset, By: "user:" + user.Subject, Address: h.Site.Address(r)}
	change := storage.Change{User: &user, Link: storage.HashOf(r.PathValue("link")),
		Events: []storage.Event{{At: now, Kind: "user.password", By: cause.By, Subject: user.Subject, Address: cause.Address}}}
	outcome, err := h.Ender.End(r.Context(), storage.Selector{Subject: user.Subject}, cause, change)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	ended := 0
	for _, e := range outcome.Ended {
		if e.Whole {
			ended++
		}
		if here && e.Session.ID == session.ID {
			h.Site.ClearSession(w) // only then: whoever else is signed in here stays so
		}
	}
	web.PageHeaders(w, web.PagePolicy{FormSelf: true})
	h.Site.Render(r, templates.PasswordChanged(w, templates.PasswordChangedPage{Page: h.Site.Page(r), Ended: ended, More: outcome.More, SignInURL: h.Site.Path("/account")}))
}
