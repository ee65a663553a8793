package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/transfer"
)

// Export calls visit for each record, as of one moment, until it returns an error. It leaves out what no longer counts:
// what belongs to grants and client sessions that ended, and consents to removed clients.
func (s *Store) Export(ctx context.Context, visit func(transfer.Record) error) error {
	return s.view(ctx, func(t *tx) error {
		e := &export{tx: t, visit: visit}
		e.state()
		e.usersAndClients()
		e.sessions()
		e.grants()
		e.uses()
		e.terminations()
		e.others()
		return e.failure
	})
}

// export is an Export on its way. It keeps the first error of visit, after which it visits nothing.
type export struct {
	*tx
	visit   func(transfer.Record) error
	failure error
}

func (e *export) put(r transfer.Record) {
	if e.failure == nil {
		e.failure = e.visit(r)
	}
}

// exportTable visits the records of a table that are stored without anything beside them.
func exportTable[T any](e *export, tbl table) {
	for _, value := range e.scanPrefix(tbl, nil) {
		if r, ok := decode[T](e.tx, tbl, value); ok {
			e.put(r)
		}
	}
}

func (e *export) state() {
	e.put(transfer.State{
		Sequence:       e.sequence(),
		ClientRevision: e.bucket(clients).Sequence(),
		Swept:          e.cache.sweepHistory,
		EventRemoval:   string(e.get(meta, removalKey)),
	})
}

func (e *export) usersAndClients() {
	for _, value := range e.scanPrefix(users, nil) {
		if u, ok := decode[storage.User](e.tx, users, value[1:]); ok {
			e.put(u)
		}
	}
	for subject := range e.scanPrefix(removedSubjects, nil) {
		e.put(transfer.RemovedSubject(subject))
	}
	exportTable[storage.Factors](e, factors)
	exportTable[storage.Identity](e, identities)
	for id, value := range e.scanPrefix(clients, nil) {
		if c, ok := decode[storage.Client](e.tx, clients, value); ok {
			activity, _ := load[storage.ClientActivity](e.tx, clientActivity, id)
			e.put(transfer.Client{
				Client:   c,
				LastUsed: parseDynamicClient(e.get(dynamicClients, id)).lastUsed,
				Activity: activity,
			})
		}
	}
	for _, value := range e.scanPrefix(consents, nil) {
		if c, ok := decode[storage.Consent](e.tx, consents, value); ok && e.consentActive(c) {
			e.put(c)
		}
	}
}

// sessions visits sessions and client sessions, which share a table.
func (e *export) sessions() {
	for key, value := range e.scanPrefix(sessions, nil) {
		switch parts := bytes.Split(key, []byte{0}); len(parts) {
		case 1:
			if session, ok := decode[storage.Session](e.tx, sessions, value); ok {
				e.put(session)
			}
		case 2:
			if cs, ok := decode[storage.ClientSession](e.tx, sessions, value); ok {
				e.put(transfer.ClientSession{ClientSession: cs, Session: storage.SessionID(parts[0])})
			}
		}
	}
}

func (e *export) grants() {
	for id := range e.scanPrefix(grants, nil) {
		if g, ok := e.grant(string(id)); ok {
			e.put(g)
		}
	}
	expires := map[storage.Hash]time.Time{} // of exchanged tokens of offline access
	for key := range e.scanPrefix(expiry, nil) {
		if key[timeKeyLength] == expiryRefresh {
			expires[storage.Hash(key[timeKeyLength+1:])] = keyTime(key)
		}
	}
	for key := range e.scanPrefix(refreshTokens, nil) {
		hash := storage.Hash(key)
		_, id := e.findRefreshToken(hash)
		if _, ok := e.grant(id); !ok {
			continue
		}
		e.put(transfer.RefreshToken{Hash: hash, Grant: id, Expires: expires[hash]})
	}
	exportTable[storage.Token](e, tokens)
}

// uses visits what counts once.
func (e *export) uses() {
	for key, value := range e.scanPrefix(usedCodes, nil) {
		if use, ok := parseCodeUse(value); ok {
			e.put(transfer.UsedCode{Key: bytes.Clone(key), Expires: use.expiresAt, Grant: use.grantID})
		}
	}
	for key := range e.scanPrefix(usedIDs, nil) {
		e.put(transfer.UsedID{Key: bytes.Clone(key), Expires: e.usedIDExpiry(key)})
	}
	for slot, value := range e.scanPrefix(attemptCounters, nil) {
		e.put(transfer.Counter{Slot: binary.BigEndian.Uint16(slot), Counter: readCounter(value)})
	}
	exportTable[storage.OneTimeLink](e, oneTimeLinks)
	exportTable[storage.InitialAccessToken](e, initialAccessTokens)
	exportTable[storage.Mail](e, mails)
}

func (e *export) terminations() {
	for key, value := range e.scanPrefix(cutoffs, nil) {
		if list, ok := decode[[]storage.Cutoff](e.tx, cutoffs, value); ok {
			e.put(transfer.Cutoffs{Scope: parseCutoffKey(key), List: list})
		}
	}
	for key, value := range e.scanPrefix(bulkLogouts, nil) {
		if bulk, ok := decode[bulkLogout](e.tx, bulkLogouts, value); ok {
			bulk.restore(string(key))
			e.put(transfer.BulkLogout{
				BulkLogout:     bulk.BulkLogout,
				Before:         bulk.Before,
				OfflineUsers:   bulk.OfflineUsers,
				NotAdmitted:    bulk.NotAdmitted,
				OfflineDone:    bulk.OfflineDone,
				RemovedClients: bulk.RemovedClients,
			})
		}
	}
	exportTable[storage.Report](e, reports)
	keepUntil := map[string]time.Time{}
	for key := range e.scanPrefix(expiry, nil) {
		if key[timeKeyLength] == expiryDelivery {
			keepUntil[string(key[timeKeyLength+1:])] = keyTime(key)
		}
	}
	for id, value := range e.scanPrefix(deliveries, nil) {
		if d, ok := decode[storage.Delivery](e.tx, deliveries, value); ok {
			e.put(transfer.Delivery{Delivery: d, KeepUntil: keepUntil[string(id)]})
		}
	}
	exportTable[storage.HostHealth](e, hostHealth)
}

func (e *export) others() {
	exportTable[storage.Key](e, keys)
	exportTable[storage.Event](e, events)
}
