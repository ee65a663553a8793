package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// DocumentTyp is the header typ of a signed report.
const DocumentTyp = "logout-report+jwt"

// Document is a report as users and operators get it: the claims of the JWT when a signature is asked for. It says
// what is known at IssuedAt. Entries go on changing, so a later document may say more.
type Document struct {
	Issuer       string                `json:"iss"`
	IssuedAt     int64                 `json:"iat"`
	ReportID     string                `json:"report"`
	Txn          string                `json:"txn"` // Cause.ID: the same in all reports of a bulk logout
	Session      string                `json:"session,omitempty"`
	WholeSession bool                  `json:"whole_session"`
	Subject      string                `json:"sub"`
	EndedAt      time.Time             `json:"ended_at"`
	Reason       storage.Reason        `json:"reason"`
	By           string                `json:"by"`
	Client       string                `json:"client,omitempty"` // the client that started the logout, if one did
	Entries      []storage.ReportEntry `json:"entries"`
	OP           HorizonPart           `json:"op"`
	Tokens       HorizonPart           `json:"tokens"`
	Clients      HorizonPart           `json:"clients"`
	Offline      []string              `json:"offline,omitempty"`
	Audit        []storage.Event       `json:"audit"` // the whole audit lines of the report, so that their hashes can be checked
}

// NewDocument makes the document of a report as it stands at that moment. events are the audit lines that the report
// names.
func NewDocument(issuer string, r storage.Report, events []storage.Event, at time.Time) Document {
	at = latest(at, r.EndedAt).UTC().Truncate(time.Second) // the clock may have been put back since
	e := AssessReport(r, latest(at, r.EndedAt))
	for i := range e.Entries {
		e.Entries[i].LastAnswer.Detail = "" // for operators only: it may name internal addresses, and users get the document too
	}
	return Document{
		Issuer: issuer, IssuedAt: at.Unix(), ReportID: r.ID, Txn: r.Cause.ID, Session: r.Session, WholeSession: r.WholeSession, Subject: r.Subject, EndedAt: r.EndedAt,
		Reason: r.Cause.Reason, By: r.Cause.By, Client: r.Cause.Client, Entries: e.Entries, OP: e.OP, Tokens: e.Tokens, Clients: e.Clients, Offline: e.Offline,
		Audit: events,
	}
}
