package postgres

import (
	"github.com/jackc/pgx/v5"
)

// admission.go checks whether clients admit users (storage.Client.Admits). The columns clients.admit_groups and
// users.groups repeat the lists of the records.

// admits returns the condition that a client admits a user. client and user are names of the tables in the statement.
func admits(client, user string) string {
	return `(` + client + `.admit_groups = '{}' OR ` + client + `.admit_groups && ` + user + `.groups)`
}

// arrayOf returns the list as a column: an empty array, not NULL, if there are no elements.
func arrayOf(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// findNotAdmitted sets NotAdmitted for a selector with Unadmitted: the clients that do not admit the selector's user
// after the change or, if the selector names a client, the users whom that client does not admit.
func (e *endSessionsTx) findNotAdmitted() {
	switch {
	case !e.Unadmitted:
	case e.Client != "":
		e.findNotAdmittedUsers()
	default:
		e.findNotAdmittedClients()
	}
}

// findNotAdmittedUsers finds the users of a client that does not admit them.
func (e *endSessionsTx) findNotAdmittedUsers() {
	c := e.change.Client
	if c == nil || c.ClientID != e.Client {
		c = e.client(e.Client)
	}
	if c == nil || len(c.AdmitGroups) == 0 {
		return
	}
	e.addNotAdmitted(
		`SELECT used.subject FROM (
			SELECT s.subject FROM @client_sessions cs JOIN @sessions s ON s.id = cs.session WHERE cs.client = $1
			UNION SELECT subject FROM @grants WHERE session IS NULL AND client = $1
		) used LEFT JOIN @users u ON u.subject = used.subject WHERE NOT coalesce(u.groups && $2, false)`,
		e.Client, c.AdmitGroups,
	)
}

// findNotAdmittedClients finds the clients of a user that do not admit the user.
func (e *endSessionsTx) findNotAdmittedClients() {
	u, _ := e.user(e.Subject)
	if changed := e.change.User; changed != nil && changed.Subject == e.Subject {
		u = *changed
	}
	e.addNotAdmitted(
		`SELECT c.id FROM (
			SELECT cs.client FROM @client_sessions cs JOIN @sessions s ON s.id = cs.session WHERE s.subject = $1
			UNION SELECT client FROM @grants WHERE session IS NULL AND subject = $1
		) used JOIN @clients c ON c.id = used.client WHERE c.admit_groups <> '{}' AND NOT c.admit_groups && $2`,
		e.Subject, arrayOf(u.Groups),
	)
}

// addNotAdmitted adds the names that a query returns to NotAdmitted.
func (e *endSessionsTx) addNotAdmitted(sql string, args ...any) {
	e.query(sql, args, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		e.NotAdmitted[name] = true
		return err
	})
}
