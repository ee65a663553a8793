package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/transfer"
)

// importBatch is how many records are sent in one round trip.
const importBatch = 1000

// importTimeout is how long an import may take.
const importTimeout = 6 * time.Hour

// ErrNotEmpty: the schema has records already.
var ErrNotEmpty = errors.New("the schema has records already")

// Import stores the records that export passes to visit, in one transaction: all of them or none. It returns how many
// records of each kind the database has after that. With dryRun it rolls the transaction back. ErrNotEmpty: the schema
// has records already.
func (s *Store) Import(
	ctx context.Context, dryRun bool, export func(visit func(transfer.Record) error) error,
) (counts map[string]int, err error) {
	var failure error
	_, err = writeWithin(ctx, s, importTimeout, func(t *tx) (struct{}, error) {
		counts, failure = t.importAll(export)
		if failure == nil && dryRun {
			failure = errDryRun
		}
		return struct{}{}, failure
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return counts, nil
}

// errDryRun ends the transaction of a dry run.
var errDryRun = errors.New("dry run")

// importAll stores all records and counts them.
func (t *tx) importAll(export func(visit func(transfer.Record) error) error) (map[string]int, error) {
	t.lockAllGates()
	t.lockState()
	var used bool
	t.queryRow(
		`SELECT EXISTS (SELECT FROM @users) OR EXISTS (SELECT FROM @clients) OR EXISTS (SELECT FROM @events)
			OR EXISTS (SELECT FROM @keys)`, nil, &used,
	)
	if used {
		return nil, ErrNotEmpty
	}
	sent := map[string]int{}
	queued := 0
	err := export(func(r transfer.Record) error {
		t.importRecord(r)
		sent[transfer.Kind(r)]++
		queued++
		if queued == importBatch {
			t.flush()
			queued = 0
		}
		return t.err
	})
	if err != nil {
		return nil, err
	}
	return t.verifyImport(sent)
}

// tablesOfKinds has the table of each kind of record.
var tablesOfKinds = map[string]string{
	"state": "@state", "users": "@users", "removed subjects": "@removed_subjects", "factors": "@factors",
	"linked accounts": "@identities",
	"clients":         "@clients", "sessions": "@sessions", "client sessions": "@client_sessions", "grants": "@grants",
	"refresh tokens": "@refresh_tokens", "access tokens": "@tokens", "used codes": "@used_codes",
	"used ids": "@used_ids", "consents": "@consents", "cutoffs": "@cutoffs", "bulk logouts": "@bulk_logouts",
	"deliveries": "@deliveries", "hosts": "@host_health", "reports": "@reports", "keys": "@keys",
	"audit lines": "@events", "attempt counters": "@attempt_counters", "links": "@one_time_links",
	"initial access tokens": "@initial_access_tokens", "messages": "@mails",
}

// verifyImport returns how many records of each kind the database has, and an error if that differs from sent.
func (t *tx) verifyImport(sent map[string]int) (map[string]int, error) {
	counts := map[string]int{}
	for kind, table := range tablesOfKinds {
		var n int
		t.queryRow(`SELECT count(*) FROM `+table, nil, &n)
		if n != sent[kind] && t.err == nil {
			return nil, fmt.Errorf("%d %s were sent, and the database has %d", sent[kind], kind, n)
		}
		counts[kind] = n
	}
	return counts, t.err
}

// importRecord stores one record without a change.
func (t *tx) importRecord(r transfer.Record) {
	switch r := r.(type) {
	case transfer.State:
		next := t.changeState()
		next.sequence = r.Sequence
		next.clientRevision = r.ClientRevision
		next.swept = r.Swept
		t.exec(`UPDATE @state SET event_removal = $1`, r.EventRemoval)
	case storage.User:
		r.Revision-- // putUser increases it
		t.putUser(r)
	case transfer.RemovedSubject:
		t.exec(`INSERT INTO @removed_subjects (subject) VALUES ($1)`, string(r))
	case storage.Factors:
		r.Revision-- // putFactors increases it
		t.putFactors(r)
	case storage.Identity:
		t.putIdentity(r)
	case transfer.Client:
		t.importClient(r)
	case storage.Session:
		t.importSession(r)
	case transfer.ClientSession:
		t.addClientSession(r.Session, r.ClientSession)
	case storage.Grant:
		t.importGrant(r)
	case transfer.RefreshToken:
		var expires *int64
		if at := millis(r.Expires); at != 0 {
			expires = &at
		}
		t.exec(
			`INSERT INTO @refresh_tokens (hash, grant_id, expires) VALUES ($1, $2, $3)`, r.Hash[:], r.Grant, expires,
		)
	case storage.Token:
		t.putToken(r)
	case transfer.UsedCode:
		t.exec(
			`INSERT INTO @used_codes (id, expires, grant_id) VALUES ($1, $2, $3)`, r.Key, millis(r.Expires), r.Grant,
		)
	case transfer.UsedID:
		t.exec(`INSERT INTO @used_ids (id, expires) VALUES ($1, $2)`, r.Key, millis(r.Expires))
	case storage.Consent:
		t.exec(
			`INSERT INTO @consents (subject, client, sequence, record) VALUES ($1, $2, $3, $4)`,
			r.Subject, r.Client, int64(r.Sequence), t.encode(r),
		)
	case transfer.Cutoffs:
		t.putCutoffs(r.Scope, r.List)
	case transfer.BulkLogout:
		t.importBulkLogout(r)
	case transfer.Delivery:
		t.importDelivery(r)
	case storage.HostHealth:
		t.putHostHealth(r)
	case storage.Report:
		t.addReport(r)
	case storage.Key:
		t.exec(`INSERT INTO @keys (id, record) VALUES ($1, $2)`, r.ID, t.encode(r))
	case storage.Event:
		t.importEvent(r)
	case transfer.Counter:
		t.exec(
			`INSERT INTO @attempt_counters (slot, count, last) VALUES ($1, $2, $3)`,
			int32(r.Slot), int64(r.Count), r.Last.Unix(),
		)
	case storage.OneTimeLink:
		t.addLink(r)
	case storage.InitialAccessToken:
		t.putInitialAccessToken(r)
	case storage.Mail:
		t.addMail(r)
	default:
		t.fail(fmt.Errorf("a record of type %T is unknown to this release", r))
	}
}

func (t *tx) importClient(c transfer.Client) {
	var lastUsed, firstSignIn *int64
	if at := millis(c.LastUsed); at != 0 {
		lastUsed = &at
	}
	if at := millis(c.Activity.FirstSignIn); at != 0 {
		firstSignIn = &at
	}
	var refusal []byte
	if !c.Activity.LastRefusal.At.IsZero() {
		refusal = t.encode(c.Activity.LastRefusal)
	}
	t.exec(
		`INSERT INTO @clients (id, enabled, sequence, dynamic, created, last_used, first_sign_in, refusal,
			admit_groups, record) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		c.ClientID, !c.Disabled, int64(c.Sequence), c.Dynamic, millis(c.Created), lastUsed, firstSignIn, refusal,
		arrayOf(c.AdmitGroups), t.encode(c.Client),
	)
}

func (t *tx) importSession(session storage.Session) {
	t.exec(
		insertSession,
		string(session.ID), gateOf(session.Subject), session.SecretHash[:], session.Subject,
		millis(session.Deadline()), t.encode(session), accountScope(session), upstreamScope(session),
	)
}

// importGrant stores a grant. Its refresh tokens are imported as separate records.
func (t *tx) importGrant(g storage.Grant) {
	value := t.encode(g)
	g.RefreshHash = storage.Hash{} // so that addGrant does not add the refresh token
	t.addGrant(g, value)
}

func (t *tx) importBulkLogout(b transfer.BulkLogout) {
	key, err := bulkLogoutKey(b.Selector, b.Cause, b.StartedAt)
	t.fail(err)
	t.putBulkLogout(&bulkLogout{
		BulkLogout:     b.BulkLogout,
		Key:            key,
		Before:         b.Before,
		OfflineUsers:   b.OfflineUsers,
		NotAdmitted:    b.NotAdmitted,
		OfflineDone:    b.OfflineDone,
		RemovedClients: b.RemovedClients,
	})
}

func (t *tx) importDelivery(d transfer.Delivery) {
	if d.KeepUntil.IsZero() {
		d.KeepUntil = d.GiveUpAt.Add(deliveryRetention)
	}
	t.exec(
		`INSERT INTO @deliveries (id, report, client, host, state, created, due, give_up, keep_until, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		d.ID, d.Report, d.Client, d.Host, string(d.State), millis(d.Created), millis(d.DueAt()), millis(d.GiveUpAt),
		millis(d.KeepUntil), t.encode(d.Delivery),
	)
}

func (t *tx) importEvent(e storage.Event) {
	end := t.changeState()
	end.auditSequence, end.auditHash = e.Seq, e.Hash
	t.exec(
		`INSERT INTO @events (sequence, subject, record) VALUES ($1, $2, $3)`,
		int64(e.Seq), textColumn(e.Subject), t.encode(e),
	)
}
