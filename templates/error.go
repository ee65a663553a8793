package templates

import (
	"io"
	"net/http"
	"time"
)

// ErrorPage says in one sentence what is wrong and in another what to do. The zero value of every field is a good default.
type ErrorPage struct {
	Page
	Status      int           // HTTP status of the answer; 0 means 500
	Description string        // what is wrong, naming the fault ("The redirect_uri is not registered for this application."); nothing internal
	Advice      string        // what to do about it
	RetryAfter  time.Duration // when to try again; said in place of the usual advice
	LinkURL     string        // where to go on; shown with LinkText
	LinkText    string
}

// Error writes the error page.
func Error(w io.Writer, p ErrorPage) error {
	if p.Status == 0 {
		p.Status = http.StatusInternalServerError
	}
	texts, ok := errorTexts[p.Status]
	if !ok {
		texts = errorTexts[http.StatusInternalServerError]
		if p.Status < 500 {
			texts = errorTexts[http.StatusBadRequest]
		}
	}
	if p.Description == "" {
		p.Description = texts.description
	}
	if p.Advice == "" {
		p.Advice = texts.advice
		if p.RetryAfter > 0 {
			p.Advice = "Try again in " + formatDurationUp(p.RetryAfter) + "."
		}
	}
	return render(w, "error", struct {
		ErrorPage
		Heading string
	}{p, texts.heading})
}

// errorTexts are the texts for each status that our pages answer with.
var errorTexts = map[int]struct{ heading, description, advice string }{
	http.StatusBadRequest: {"This request cannot be used",
		"The application sent a request that is not complete or not allowed.",
		"Go back to the application and try again. If it happens again, tell its owner what stands above."},
	http.StatusForbidden: {"Not from another site",
		"This form was sent from another web site, so nothing was done.",
		"Open the page here and send it again."},
	http.StatusNotFound: {"There is nothing here",
		"This address leads nowhere, or what it led to is over.",
		"Check the address, or start again at the application."},
	http.StatusMethodNotAllowed: {"This cannot be opened directly",
		"This address only takes what its own page sends.",
		"Start again at the application."},
	http.StatusConflict: {"Something changed meanwhile",
		"What this page was about has changed since you opened it.",
		"Open the page again."},
	http.StatusGone: {"This link is over",
		"The link was used already or is too old.",
		"Ask for a new one."},
	http.StatusRequestEntityTooLarge: {"This request is too large",
		"The application sent more than can be taken.",
		"Go back to the application and try again. If it happens again, tell its owner what stands above."},
	http.StatusTooManyRequests: {"Too many requests",
		"There were too many requests from your network.",
		"Wait a little, then try again."},
	http.StatusInternalServerError: {"Something went wrong here",
		"It is not your fault. Nothing was changed halfway.",
		"Try again. If it happens again, tell your administrator the request number below."},
	http.StatusServiceUnavailable: {"Back in a moment",
		"The service cannot answer just now.",
		"Try again in a moment. Nothing you did is lost."},
}
