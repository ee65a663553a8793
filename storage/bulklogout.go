package storage

// CountTermination counts the parts of one termination. It leaves out offline grants that sel selects by their own
// user and client: a caller that counts those grants separately passes its selection. Other callers pass the zero
// Selection.
func CountTermination(t Termination, sel Selection) TerminationCount {
	var n TerminationCount
	if t.WholeSession {
		n.Sessions = 1
	}
	n.ClientSessions = len(t.Session.ClientSessions)
	for _, cs := range t.Session.ClientSessions {
		if client := t.Clients[cs.Client]; client != nil && client.BackchannelLogoutURI != "" {
			n.Deliveries++
		}
	}
	for _, g := range t.Grants {
		if !sel.EndsOfflineGrant(g) {
			n.Grants++
		}
	}
	return n
}

// Add returns the sum of two counts.
func (n TerminationCount) Add(other TerminationCount) TerminationCount {
	return TerminationCount{
		Sessions:       n.Sessions + other.Sessions,
		ClientSessions: n.ClientSessions + other.ClientSessions,
		Deliveries:     n.Deliveries + other.Deliveries,
		Grants:         n.Grants + other.Grants,
	}
}

// Sub returns the difference of two counts.
func (n TerminationCount) Sub(other TerminationCount) TerminationCount {
	return TerminationCount{
		Sessions:       n.Sessions - other.Sessions,
		ClientSessions: n.ClientSessions - other.ClientSessions,
		Deliveries:     n.Deliveries - other.Deliveries,
		Grants:         n.Grants - other.Grants,
	}
}
