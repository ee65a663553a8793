package record

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/curfew-id/curfew/storage"
)

// records.go gives each field of an encoded record its number. Never change a number, and never use the number of a
// removed field again.

func (f *recordCodec) user(r *storage.User) {
	text(f, 1, &r.Subject)
	text(f, 2, &r.Name)
	text(f, 3, &r.Email)
	f.boolean(4, &r.EmailVerified)
	f.claims(5, &r.Claims)
	text(f, 6, &r.Password)
	f.boolean(7, &r.Disabled)
	f.time(8, &r.Created)
	f.time(9, &r.Updated)
	f.uvarint(10, &r.Revision)
	f.texts(11, &r.Groups)
	text(f, 12, &r.Language)
	f.time(13, &r.EmailFixedUntil)
	text(f, 14, &r.FormerEmail)
}

// session leaves out the client sessions, which are separate records.
func (f *recordCodec) session(r *storage.Session) {
	text(f, 1, &r.ID)
	f.hash(2, &r.SecretHash)
	text(f, 3, &r.Subject)
	f.time(4, &r.AuthTime)
	f.texts(5, &r.AMR)
	text(f, 6, &r.ACR)
	f.time(7, &r.Created)
	f.time(8, &r.LastActive)
	integer(f, 9, &r.IdleTimeout)
	f.time(10, &r.Expires)
	f.boolean(11, &r.RememberMe)
	text(f, 12, &r.UserAgent)
	text(f, 13, &r.Address)
	f.uvarint(14, (*uint64)(&r.Sequence))
	f.upstreamSession(15, &r.Upstream)
}

func (f *recordCodec) upstreamSession(field protowire.Number, r *storage.UpstreamSession) {
	outer, body := f.enter(field)
	text(f, 1, &r.Provider)
	text(f, 2, &r.Issuer)
	text(f, 3, &r.Subject)
	text(f, 4, &r.SID)
	f.time(5, &r.Expires)
	f.bytes(6, &r.IDToken)
	f.time(7, &r.Checked)
	f.leave(outer, body)
}

func (f *recordCodec) clientSession(r *storage.ClientSession) {
	text(f, 1, &r.Client)
	text(f, 2, &r.SID)
	f.time(4, &r.Joined)
	f.time(5, &r.LastUsed)
	f.tokenExpiry(6, &r.TokenExpiry)
	f.uvarint(7, (*uint64)(&r.Sequence))
	text(f, 8, &r.ClientSubject)
}

func (f *recordCodec) tokenExpiry(field protowire.Number, r *storage.TokenExpiry) {
	outer, body := f.enter(field)
	f.time(1, &r.Opaque)
	f.time(2, &r.JWT)
	f.time(3, &r.IDToken)
	f.time(4, &r.SessionExpiry)
	f.time(5, &r.LastIDToken)
	f.leave(outer, body)
}

func (f *recordCodec) grant(r *storage.Grant) {
	text(f, 1, &r.ID)
	text(f, 2, &r.Client)
	text(f, 3, &r.Subject)
	text(f, 4, &r.Session)
	text(f, 5, &r.SID)
	f.texts(6, &r.Scope)
	f.texts(7, &r.Audience)
	f.json(8, &r.Claims)
	f.time(9, &r.AuthTime)
	f.texts(10, &r.AMR)
	text(f, 11, &r.ACR)
	f.time(12, &r.Created)
	f.time(13, &r.LastUsed)
	integer(f, 14, &r.IdleTimeout)
	f.time(15, &r.Expires)
	f.hash(16, &r.RefreshHash)
	f.hash(17, &r.PreviousHash)
	f.time(18, &r.RotatedAt)
	f.tokenExpiry(19, &r.Trust)
	text(f, 20, &r.UserAgent)
	f.uvarint(21, (*uint64)(&r.Sequence))
	text(f, 22, &r.ClientSubject)
}

func (f *recordCodec) token(r *storage.Token) {
	f.hash(1, &r.Hash)
	text(f, 2, &r.Grant)
	text(f, 3, &r.SID)
	text(f, 4, &r.Client)
	text(f, 5, &r.Subject)
	f.texts(6, &r.Scope)
	f.texts(7, &r.Audience)
	f.time(8, &r.Issued)
	f.time(9, &r.Expires)
	f.uvarint(10, (*uint64)(&r.Sequence))
}

func (f *recordCodec) delivery(r *storage.Delivery) {
	text(f, 1, &r.ID)
	text(f, 2, &r.Report)
	text(f, 3, &r.Client)
	text(f, 4, &r.URI)
	text(f, 5, &r.Host)
	text(f, 6, &r.Subject)
	text(f, 7, &r.SID)
	text(f, 8, &r.Alg)
	text(f, 9, &r.Typ)
	text(f, 10, &r.Claims)
	f.boolean(11, &r.Renotification)
	f.time(12, &r.Created)
	f.time(13, &r.NextAttempt)
	f.time(14, &r.GiveUpAt)
	integer(f, 15, &r.Attempts)
	integer(f, 16, &r.Refusals)
	text(f, 17, &r.State)
	f.answer(18, &r.Answer)
	f.uvarint(19, &r.Lease)
	f.time(20, &r.LeasedUntil)
	integer(f, 21, &r.Pause)
	f.boolean(22, &r.Untrusted)
	f.boolean(23, &r.Initiator)
	f.uvarint(24, (*uint64)(&r.ClientSequence))
}

func (f *recordCodec) answer(field protowire.Number, r *storage.Answer) {
	outer, body := f.enter(field)
	f.time(1, &r.At)
	text(f, 2, &r.JTI)
	integer(f, 3, &r.Status)
	text(f, 4, &r.Class)
	text(f, 5, &r.Detail)
	f.leave(outer, body)
}

func (f *recordCodec) report(r *storage.Report) {
	text(f, 1, &r.ID)
	f.cause(2, &r.Cause)
	text(f, 3, &r.SessionHash)
	f.boolean(4, &r.WholeSession)
	text(f, 5, &r.Subject)
	f.time(6, &r.EndedAt)
	f.time(7, &r.AuthTime)
	text(f, 8, &r.UserAgent)
	text(f, 9, &r.Address)
	f.reportEntries(10, &r.Entries)
	f.uvarints(11, &r.Audit)
	f.time(12, &r.DeleteAfter)
}

func (f *recordCodec) cause(field protowire.Number, r *storage.Cause) {
	outer, body := f.enter(field)
	text(f, 1, &r.ID)
	text(f, 2, &r.Reason)
	text(f, 3, &r.By)
	text(f, 4, &r.Client)
	text(f, 5, &r.Address)
	f.leave(outer, body)
}

// reportEntries writes or reads the entries of a report. It reads an empty list as an empty slice, not as nil, so that
// its JSON is [] and not null.
func (f *recordCodec) reportEntries(field protowire.Number, list *[]storage.ReportEntry) {
	if !f.reading {
		body := f.beginMessage(field)
		for i := range *list {
			item := f.beginMessage(listItem)
			f.reportEntry(&(*list)[i])
			f.insertLength(item.content, len(f.out)-item.content)
		}
		f.endMessage(body)
		return
	}
	begin, end := f.find(field)
	*list = make([]storage.ReportEntry, f.countItems(begin, end))
	for i := range *list {
		if f.damaged {
			return
		}
		var itemBegin int
		itemBegin, begin = f.nextItem(begin, end)
		outer := f.enterBytes(itemBegin, begin)
		f.reportEntry(&(*list)[i])
		f.message = outer
	}
}

func (f *recordCodec) reportEntry(r *storage.ReportEntry) {
	text(f, 1, &r.Kind)
	text(f, 2, &r.Client)
	text(f, 3, &r.ClientName)
	f.texts(4, &r.Channels)
	text(f, 5, &r.Trust)
	text(f, 6, &r.Delivery)
	// 7 was used by a field that was removed.
	f.time(8, &r.NotifiedAt)
	f.time(9, &r.ExpiresAt)
	text(f, 10, &r.BoundBy)
	integer(f, 11, &r.Attempts)
	f.time(12, &r.NextAttempt)
	f.answer(13, &r.LastAnswer)
	text(f, 14, &r.Renotification)
	f.boolean(15, &r.Initiator)
}
