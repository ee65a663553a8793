package logout

import "time"

// UnknownHosts counts the hosts of which the Dispatcher does not know whether they are quick, because no attempt has
// ended there. They have slots of their own.
type UnknownHosts struct {
	Waiting     int           // hosts whose first attempt has not begun or not ended
	Tried       int           // hosts at which a first attempt began since the process started
	LongestWait time.Duration // of those first attempts: from when it was due until it began
}

// UnknownHosts returns the present counts.
func (d *Dispatcher) UnknownHosts() UnknownHosts {
	if counts := d.unknownHosts.Load(); counts != nil {
		return *counts
	}
	return UnknownHosts{}
}

// publishUnknownHosts makes the counts visible to other goroutines if they have changed.
func (d *Dispatcher) publishUnknownHosts(hq *hostQueues) {
	counts := hq.unknownHostStats
	// Of an unknown host one delivery is claimed at a time.
	counts.Waiting = hq.claimed[operatorUnknown] + hq.claimed[selfRegisteredUnknown]
	if counts != d.UnknownHosts() {
		d.unknownHosts.Store(&counts)
		d.Observer.unknownHosts(counts)
	}
}

// noteAttempt counts an attempt that begins at a host. wait is the time since it was due.
func (u *UnknownHosts) noteAttempt(speed hostSpeed, wait time.Duration) {
	if speed == speedUnknown {
		u.Tried++
		u.LongestWait = max(u.LongestWait, wait)
	}
}
