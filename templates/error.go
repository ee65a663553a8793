package templates

import (
	"io"
	"net/http"
	"time"
)

// ErrorPage says what happened, what it means for the user and what to do. The zero value is the page of an unexpected
// error.
type ErrorPage struct {
	Page
	Status     int           // HTTP status of the answer; 0: 500
	Text       ErrorText     // empty: the text of the Status
	Value      string        // a host, an app or the name of a parameter, which some texts show
	Contact    string        // for ErrorNotAdmitted: the address to ask; empty: not known
	RetryAfter time.Duration // when to try again; replaces the advice of the text
	LinkURL    string        // empty: no link

	OtherAccountURL string // shows the sign-in page for another account; empty: no link

	Link ErrorLink // the text of the link
}

// ErrorText names the texts of an error page. The catalog has a heading, a text and advice for each, and for some a
// detail for the app's administrator.
type ErrorText string

// The texts of HTTP statuses.
const (
	ErrorBadRequest       ErrorText = "bad_request"
	ErrorForbidden        ErrorText = "forbidden" // a form from another website
	ErrorNotFound         ErrorText = "not_found"
	ErrorMethodNotAllowed ErrorText = "method_not_allowed"
	ErrorConflict         ErrorText = "conflict"
	ErrorGone             ErrorText = "gone" // a one-time link
	ErrorTooLarge         ErrorText = "too_large"
	ErrorTooManyRequests  ErrorText = "too_many_requests"
	ErrorInternal         ErrorText = "internal"
	ErrorUnavailable      ErrorText = "unavailable"
)

// The other texts.
const (
	ErrorOutcomeOpen             ErrorText = "outcome_open"         // a change may or may not have been stored
	ErrorPageExpired             ErrorText = "page_expired"         // an interaction of another browser, or too old
	ErrorAccountPageExpired      ErrorText = "page_expired_account" // the same for a form of an account page
	ErrorMalformed               ErrorText = "malformed"            // no well-formed query or form
	ErrorRepeatedParameter       ErrorText = "repeated_parameter"   // Value is a parameter that is given more than once
	ErrorClientIDMissing         ErrorText = "client_id_missing"
	ErrorClientUnknown           ErrorText = "client_unknown"
	ErrorRedirectURIMissing      ErrorText = "redirect_uri_missing"
	ErrorRedirectURIUnregistered ErrorText = "redirect_uri_unregistered"
	ErrorRedirectURIWithoutHost  ErrorText = "redirect_uri_without_host"
	ErrorTooMany                 ErrorText = "too_many"            // grants or consents
	ErrorAppRequest              ErrorText = "app_request"         // of a self-registered client; Value is its host
	ErrorRequestNotAllowed       ErrorText = "request_not_allowed" // the client changed during the sign-in
	ErrorNotAdmitted             ErrorText = "not_admitted"        // Value is the app, which admits other groups
	ErrorHintInvalid             ErrorText = "hint_invalid"
	ErrorHintClient              ErrorText = "hint_client" // client_id and id_token_hint name different clients
	ErrorLogoutClientUnknown     ErrorText = "logout_client_unknown"
	ErrorPostLogoutRedirectURI   ErrorText = "post_logout_redirect_uri"
	ErrorSignedOutPageExpired    ErrorText = "signed_out_expired"
	ErrorSignOutFailed           ErrorText = "sign_out_failed"
)

// ErrorLink names the text of the link on an error page.
type ErrorLink string

// The links.
const (
	LinkAccount   ErrorLink = "account"
	LinkOpenAgain ErrorLink = "open_again"
	LinkApp       ErrorLink = "app"
)

// linkTexts has the name of the text of each link.
var linkTexts = map[ErrorLink]string{
	LinkAccount:   "error.link.account",
	LinkOpenAgain: "error.link.open_again",
	LinkApp:       "error.link.app",
}

// statusTexts has the texts of each status.
var statusTexts = map[int]ErrorText{
	http.StatusBadRequest:            ErrorBadRequest,
	http.StatusForbidden:             ErrorForbidden,
	http.StatusNotFound:              ErrorNotFound,
	http.StatusMethodNotAllowed:      ErrorMethodNotAllowed,
	http.StatusConflict:              ErrorConflict,
	http.StatusGone:                  ErrorGone,
	http.StatusRequestEntityTooLarge: ErrorTooLarge,
	http.StatusTooManyRequests:       ErrorTooManyRequests,
	http.StatusInternalServerError:   ErrorInternal,
	http.StatusServiceUnavailable:    ErrorUnavailable,
}

// detailTexts has the name of the detail for the app's administrator, for the texts that have one.
var detailTexts = map[ErrorText]string{
	ErrorRepeatedParameter:       "error.repeated_parameter.detail",
	ErrorMalformed:               "error.malformed.detail",
	ErrorClientIDMissing:         "error.client_id_missing.detail",
	ErrorClientUnknown:           "error.client_unknown.detail",
	ErrorRedirectURIMissing:      "error.redirect_uri_missing.detail",
	ErrorRedirectURIUnregistered: "error.redirect_uri_unregistered.detail",
	ErrorRedirectURIWithoutHost:  "error.redirect_uri_without_host.detail",
	ErrorRequestNotAllowed:       "error.request_not_allowed.detail",
	ErrorHintInvalid:             "error.hint_invalid.detail",
	ErrorHintClient:              "error.hint_client.detail",
	ErrorLogoutClientUnknown:     "error.logout_client_unknown.detail",
	ErrorPostLogoutRedirectURI:   "error.post_logout_redirect_uri.detail",
}

// errorTexts is an error page with its texts in the language of the user.
type errorTexts struct {
	ErrorPage
	Heading  Text
	What     Text
	Advice   Text
	Detail   Text
	LinkText Text
}

// Error writes the error page.
func Error(w io.Writer, p ErrorPage) error {
	if p.Text == "" {
		p.Text = textOfStatus(p.Status)
	}
	l := p.locale()
	name := "error." + string(p.Text)
	t := errorTexts{
		ErrorPage: p,
		Heading:   l.text(name + ".heading"),
		What:      l.text(name+".text", "Value", strong(p.Value)),
		Advice:    l.text(name + ".advice"),
		Detail:    l.errorDetail(p.Text, p.Value),
	}
	if p.Text == ErrorNotAdmitted && p.Contact != "" {
		t.Advice = l.text("error.not_admitted.advice_contact", "Contact", strong(p.Contact))
	}
	if p.RetryAfter > 0 {
		t.Advice = l.text("error.retry_in", "Duration", l.durationUp(p.RetryAfter))
	}
	if linkTexts[p.Link] != "" {
		t.LinkText = l.text(linkTexts[p.Link], "Value", p.Value)
	}
	return render(w, p.Page, "error", t)
}

// errorDetail returns the detail for the app's administrator, or nil if the text has none.
func (l *locale) errorDetail(text ErrorText, value string) Text {
	if detailTexts[text] == "" {
		return nil
	}
	return l.text(detailTexts[text], "Value", value)
}

// LogText returns the detail or else the heading in English, for the log.
func (t ErrorText) LogText(value string) string {
	l := texts().locale(defaultLanguage)
	if detail := l.errorDetail(t, value); detail != nil {
		return detail.String()
	}
	return l.text("error." + string(t) + ".heading").String()
}

// textOfStatus returns the text of a status.
func textOfStatus(status int) ErrorText {
	if text := statusTexts[status]; text != "" {
		return text
	}
	if status >= 400 && status < 500 {
		return ErrorBadRequest
	}
	return ErrorInternal
}
