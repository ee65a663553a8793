package bolt

import (
	"encoding/json"

	"github.com/curfew-id/curfew/storage"
)

// layout.go is what compact records consist of: each function names the fields in the order in which they are written and read.

func (f *recordCodec) user(r *storage.User) {
	text(f, &r.Subject)
	text(f, &r.Name)
	text(f, &r.Email)
	f.boolean(&r.EmailVerified)
	f.claims(&r.Claims)
	text(f, &r.Password)
	f.boolean(&r.Disabled)
	f.time(&r.Created)
	f.time(&r.Updated)
	f.uvarint(&r.Revision)
}

// session leaves the members out, which are records of their own.
func (f *recordCodec) session(r *storage.Session) {
	text(f, &r.ID)
	f.hash(&r.SecretHash)
	text(f, &r.Subject)
	f.time(&r.AuthTime)
	f.texts(&r.AMR)
	text(f, &r.ACR)
	f.time(&r.Created)
	f.time(&r.LastActive)
	integer(f, &r.IdleTimeout)
	f.time(&r.Expires)
	f.boolean(&r.RememberMe)
	text(f, &r.UserAgent)
	text(f, &r.Address)
}

func (f *recordCodec) clientSession(r *storage.ClientSession) {
	text(f, &r.Client)
	text(f, &r.SID)
	f.time(&r.CodeIssued)
	f.time(&r.Joined)
	f.time(&r.LastUsed)
	f.tokenExpiry(&r.TokenExpiry)
}

func (f *recordCodec) tokenExpiry(r *storage.TokenExpiry) {
	f.time(&r.Opaque)
	f.time(&r.JWT)
	f.time(&r.IDToken)
	f.time(&r.SessionExpiry)
	f.time(&r.LastIDToken)
}

func (f *recordCodec) grant(r *storage.Grant) {
	text(f, &r.ID)
	text(f, &r.Client)
	text(f, &r.Subject)
	text(f, &r.Session)
	text(f, &r.SID)
	f.texts(&r.Scope)
	f.texts(&r.Audience)
	f.json(&r.Claims)
	f.time(&r.AuthTime)
	f.texts(&r.AMR)
	text(f, &r.ACR)
	f.time(&r.Created)
	f.time(&r.LastUsed)
	integer(f, &r.IdleTimeout)
	f.time(&r.Expires)
	f.hash(&r.RefreshHash)
	f.hash(&r.PreviousHash)
	f.time(&r.RotatedAt)
	f.tokenExpiry(&r.Trust)
	text(f, &r.UserAgent)
}

func (f *recordCodec) token(r *storage.Token) {
	f.hash(&r.Hash)
	text(f, &r.Grant)
	text(f, &r.SID)
	text(f, &r.Client)
	text(f, &r.Subject)
	f.texts(&r.Scope)
	f.texts(&r.Audience)
	f.time(&r.Issued)
	f.time(&r.Expires)
}

func (f *recordCodec) delivery(r *storage.Delivery) {
	text(f, &r.ID)
	text(f, &r.Report)
	text(f, &r.Client)
	text(f, &r.URI)
	text(f, &r.Host)
	text(f, &r.Subject)
	text(f, &r.SID)
	text(f, &r.Alg)
	text(f, &r.Typ)
	text(f, &r.Claims)
	f.boolean(&r.Renotification)
	f.time(&r.Created)
	f.time(&r.NextAttempt)
	f.time(&r.GiveUpAt)
	integer(f, &r.Attempts)
	integer(f, &r.Refusals)
	text(f, &r.State)
	f.answer(&r.Answer)
	f.uvarint(&r.Lease)
	f.time(&r.LeasedUntil)
}

func (f *recordCodec) answer(r *storage.Answer) {
	f.time(&r.At)
	text(f, &r.JTI)
	integer(f, &r.Status)
	text(f, &r.Class)
	text(f, &r.Detail)
}

func (f *recordCodec) report(r *storage.Report) {
	text(f, &r.ID)
	f.cause(&r.Cause)
	text(f, &r.Session)
	f.boolean(&r.WholeSession)
	text(f, &r.Subject)
	f.time(&r.EndedAt)
	f.time(&r.AuthTime)
	text(f, &r.UserAgent)
	text(f, &r.Address)
	if n := f.length(len(r.Entries)); f.reading {
		r.Entries = make([]storage.ReportEntry, n)
	}
	for i := range r.Entries {
		f.reportEntry(&r.Entries[i])
	}
	if n := f.length(len(r.Audit)); f.reading && n > 0 {
		r.Audit = make([]uint64, n)
	}
	for i := range r.Audit {
		f.uvarint(&r.Audit[i])
	}
	f.time(&r.DeleteAfter)
}

func (f *recordCodec) cause(r *storage.Cause) {
	text(f, &r.ID)
	text(f, &r.Reason)
	text(f, &r.By)
	text(f, &r.Client)
	text(f, &r.Address)
}

func (f *recordCodec) reportEntry(r *storage.ReportEntry) {
	text(f, &r.Kind)
	text(f, &r.Client)
	text(f, &r.Name)
	f.texts(&r.Channels)
	text(f, &r.Trust)
	text(f, &r.Delivery)
	integer(f, &r.Evidence)
	f.time(&r.NotifiedAt)
	f.time(&r.ExpiresAt)
	text(f, &r.BoundBy)
	integer(f, &r.Attempts)
	f.time(&r.NextAttempt)
	f.answer(&r.LastAnswer)
	text(f, &r.Renotification)
}

// claims are claims about a person, in JSON.
func (f *recordCodec) claims(r *map[string]any) {
	var raw json.RawMessage
	if !f.reading && len(*r) > 0 {
		raw, f.err = json.Marshal(*r)
	}
	f.json(&raw)
	if f.reading {
		if *r = nil; raw != nil {
			f.damaged = json.Unmarshal(raw, r) != nil || f.damaged
		}
	}
}

// json is a JSON text as it came.
func (f *recordCodec) json(r *json.RawMessage) {
	s := string(*r)
	text(f, &s)
	if *r = nil; s != "" {
		*r = json.RawMessage(s)
	}
}
