package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// DocumentTyp is the header typ of a signed report.
const DocumentTyp = "logout-report+jwt"

// Document is the form of a report for users and operators. In a signed report it is the claims of the JWT. It shows
// the report at IssuedAt; the entries change afterwards, so a later document may say more.
type Document struct {
	Issuer       string                `json:"iss"`
	IssuedAt     int64                 `json:"iat"`
	ReportID     string                `json:"report"`
	Txn          string                `json:"txn"` // Cause.ID; all reports of a bulk logout have the same
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
	Upstream     HorizonPart           `json:"upstream,omitzero"`
	Chain        *ChainHorizon         `json:"chain,omitempty"`
	Offline      []string              `json:"offline,omitempty"`
	Audit        []storage.Event       `json:"audit"` // the complete audit lines of the report, with their hashes
}

// NewDocument returns the document of a report at that time. events are the audit lines that the report names.
func NewDocument(issuer string, r storage.Report, events []storage.Event, at time.Time) Document {
	at = latest(at, r.EndedAt).UTC().Truncate(time.Second) // the clock may have been set back meanwhile
	estimate := AssessReport(r, latest(at, r.EndedAt))
	for i := range estimate.Entries {
		estimate.Entries[i].LastAnswer.Detail = "" // it may name internal addresses, and users see the document too
	}
	return Document{
		Issuer:       issuer,
		IssuedAt:     at.Unix(),
		ReportID:     r.ID,
		Txn:          r.Cause.ID,
		Session:      r.SessionHash,
		WholeSession: r.WholeSession,
		Subject:      r.Subject,
		EndedAt:      r.EndedAt,
		Reason:       r.Cause.Reason,
		By:           r.Cause.By,
		Client:       r.Cause.Client,
		Entries:      estimate.Entries,
		OP:           estimate.OP,
		Tokens:       estimate.Tokens,
		Clients:      estimate.Clients,
		Upstream:     estimate.Upstream,
		Chain:        estimate.Chain,
		Offline:      estimate.Offline,
		Audit:        events,
	}
}
