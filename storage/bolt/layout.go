package bolt

import (
	"encoding/json"

	"github.com/curfew-id/curfew/storage"
)

// layout.go is what compact records consist of: each function names the fields in the order in which they are written and read.

func (f *fields) user(r *storage.User) {
	text(f, &r.Subject)
	text(f, &r.Name)
	text(f, &r.Email)
	f.flag(&r.EmailVerified)
	f.claims(&r.Claims)
	text(f, &r.Password)
	f.flag(&r.Disabled)
	f.time(&r.Created)
	f.time(&r.Updated)
	f.number(&r.Revision)
}

// session leaves the members out, which are records of their own.
func (f *fields) session(r *storage.Session) {
	text(f, &r.ID)
	f.hash(&r.Secret)
	text(f, &r.Subject)
	f.time(&r.AuthTime)
	f.texts(&r.AMR)
	text(f, &r.ACR)
	f.time(&r.Created)
	f.time(&r.LastActive)
	whole(f, &r.Idle)
	f.time(&r.Expires)
	f.flag(&r.Keep)
	text(f, &r.UserAgent)
	text(f, &r.Address)
}

func (f *fields) member(r *storage.Member) {
	text(f, &r.Client)
	text(f, &r.SID)
	f.time(&r.Began)
	f.time(&r.Joined)
	f.time(&r.LastUsed)
	f.trust(&r.Trust)
}

func (f *fields) trust(r *storage.Trust) {
	f.time(&r.Opaque)
	f.time(&r.JWT)
	f.time(&r.IDToken)
	f.time(&r.Lease)
	f.time(&r.Issued)
}

func (f *fields) grant(r *storage.Grant) {
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
	whole(f, &r.Idle)
	f.time(&r.Expires)
	f.hash(&r.Refresh)
	f.hash(&r.Previous)
	f.time(&r.Rotated)
	f.trust(&r.Trust)
	text(f, &r.UserAgent)
}

func (f *fields) token(r *storage.Token) {
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

func (f *fields) delivery(r *storage.Delivery) {
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
	f.flag(&r.Late)
	f.time(&r.Created)
	f.time(&r.Next)
	f.time(&r.GiveUp)
	whole(f, &r.Attempts)
	whole(f, &r.Refused)
	text(f, &r.State)
	f.answer(&r.Answer)
	f.number(&r.Lease)
	f.time(&r.Leased)
}

func (f *fields) answer(r *storage.Answer) {
	f.time(&r.At)
	text(f, &r.JTI)
	whole(f, &r.Status)
	text(f, &r.Class)
	text(f, &r.Detail)
}

func (f *fields) report(r *storage.Report) {
	text(f, &r.ID)
	f.cause(&r.Cause)
	text(f, &r.Session)
	f.flag(&r.Whole)
	text(f, &r.Subject)
	f.time(&r.At)
	f.time(&r.AuthTime)
	text(f, &r.UserAgent)
	text(f, &r.Address)
	if n := f.length(len(r.Rows)); f.reading {
		r.Rows = make([]storage.Row, n)
	}
	for i := range r.Rows {
		f.row(&r.Rows[i])
	}
	if n := f.length(len(r.Audit)); f.reading && n > 0 {
		r.Audit = make([]uint64, n)
	}
	for i := range r.Audit {
		f.number(&r.Audit[i])
	}
	f.time(&r.Keep)
}

func (f *fields) cause(r *storage.Cause) {
	text(f, &r.ID)
	text(f, &r.Reason)
	text(f, &r.By)
	text(f, &r.Client)
	text(f, &r.Address)
}

func (f *fields) row(r *storage.Row) {
	text(f, &r.Kind)
	text(f, &r.Client)
	text(f, &r.Name)
	f.texts(&r.Channels)
	text(f, &r.Trust)
	text(f, &r.Delivery)
	whole(f, &r.Evidence)
	f.time(&r.Told)
	f.time(&r.Until)
	text(f, &r.Basis)
	whole(f, &r.Attempts)
	f.time(&r.Next)
	f.answer(&r.Answer)
	text(f, &r.Late)
}

// claims are claims about a person, in JSON.
func (f *fields) claims(r *map[string]any) {
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
func (f *fields) json(r *json.RawMessage) {
	s := string(*r)
	text(f, &s)
	if *r = nil; s != "" {
		*r = json.RawMessage(s)
	}
}
