package bolt

import "github.com/curfew-id/curfew/storage"

// admission.go checks whether clients admit users (storage.Client.Admits).

// admitted reports whether a client admits a user. It reads the user only for a client that admits groups.
func (t *tx) admitted(c *storage.Client, subject string) bool {
	if len(c.AdmitGroups) == 0 {
		return true
	}
	u, ok := t.user(subject)
	return ok && c.Admits(u)
}

// findNotAdmitted sets NotAdmitted for a selector with Unadmitted: the clients that do not admit the selector's user
// after the change or, if the selector names a client, the users whom that client does not admit.
func (e *endSessionsTx) findNotAdmitted() {
	if !e.Unadmitted {
		return
	}
	for _, id := range e.sessionCandidates(e.Selection, nil) {
		session, ok := e.sessionRecord(id)
		if !ok {
			continue
		}
		for _, cs := range e.clientSessionsOf(id) {
			e.noteAdmission(session.Subject, cs.Client)
		}
	}
	for _, g := range e.offlineGrantCandidates(e.Selection, nil) {
		e.noteAdmission(g.Subject, g.Client)
	}
}

// noteAdmission adds the user or the client to NotAdmitted if the client does not admit the user after the change.
func (e *endSessionsTx) noteAdmission(subject, client string) {
	name := client
	if e.Client != "" {
		if client != e.Client {
			return
		}
		name = subject
	}
	if e.NotAdmitted[name] {
		return
	}
	c := e.client(client)
	if changed := e.change.Client; changed != nil && changed.ClientID == client {
		c = changed
	}
	if c == nil || len(c.AdmitGroups) == 0 {
		return
	}
	u, _ := e.user(subject)
	if changed := e.change.User; changed != nil && changed.Subject == subject {
		u = *changed
	}
	if !c.Admits(u) {
		e.NotAdmitted[name] = true
	}
}
