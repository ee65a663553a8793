package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// DocumentTyp is the header typ of a signed report.
const DocumentTyp = "logout-report+jwt"

// Document is the report of something that ended, as it is handed out: the claims that are signed when a signature is asked for. It says
// what is known at IssuedAt; rows go on changing, so a later one may say more.
type Document struct {
	Issuer   string          `json:"iss"`
	IssuedAt int64           `json:"iat"`
	Report   string          `json:"report"`
	Txn      string          `json:"txn"` // of the act that ended it: the same in all reports of a mass ending
	Session  string          `json:"session,omitempty"`
	Whole    bool            `json:"whole"`
	Subject  string          `json:"sub"`
	Ended    time.Time       `json:"t0"`
	Reason   storage.Reason  `json:"reason"`
	By       string          `json:"by"`
	Client   string          `json:"client,omitempty"` // the relying party that asked, if one did
	Rows     []storage.Row   `json:"rows"`
	Op       Scope           `json:"op"`
	Tokens   Scope           `json:"tokens"`
	Apps     Scope           `json:"apps"`
	Offline  []string        `json:"offline,omitempty"`
	Audit    []storage.Event `json:"audit"` // the audit lines it rests on, whole, so that their hashes can be checked
}

// Export makes the document of a report as of at. events are the audit lines that the report names.
func Export(issuer string, r storage.Report, events []storage.Event, at time.Time) Document {
	at = latest(at, r.At).UTC().Truncate(time.Second) // the clock may have been put back since
	e := Assess(r, latest(at, r.At))
	for i := range e.Rows {
		e.Rows[i].Answer.Detail = "" // an operator's: it may name inner addresses, and the document goes to the person too
	}
	return Document{
		Issuer: issuer, IssuedAt: at.Unix(), Report: r.ID, Txn: r.Cause.ID, Session: r.Session, Whole: r.Whole, Subject: r.Subject, Ended: r.At,
		Reason: r.Cause.Reason, By: r.Cause.By, Client: r.Cause.Client, Rows: e.Rows, Op: e.Op, Tokens: e.Tokens, Apps: e.Apps, Offline: e.Offline,
		Audit: events,
	}
}
