package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	// perHost is how many attempts one host gets at the same time.
	perHost = 4
	// slots is how many attempts are made at the same time in all.
	slots = 64
	// slowSlots is how many of them may be with hosts that were slow or silent the last time, or are not known yet: those that are
	// known to be quick always find a slot.
	slowSlots = slots / 2
	// aheadMost is how many deliveries are claimed for one quick host at a time, so that claims need few commits.
	aheadMost = 64
	// claimedMost is how many are claimed in all.
	claimedMost = 512
	// slow is how long an answer may take before its host counts as slow.
	slow = time.Second
	// lanesMost is how many hosts are remembered.
	lanesMost = 4096
)

// lane is one host. How much is claimed for it ahead grows with each quick attempt and falls back when it is slow or silent, so that a
// hanging host holds one slot and nothing waits behind it for longer than its lease.
type lane struct {
	credit int // how many may be claimed at a time
	flying int
	queue  []storage.Delivery
	slow   bool
	full   bool // more may be due for it than was claimed
}

func (l *lane) claimed() int { return l.flying + len(l.queue) }

// lanes share the slots among hosts. Only the dispatcher's loop touches them.
type lanes struct {
	byHost          map[string]*lane
	waiting         []*lane // with something in their queue
	claimed, flying int
	slowClaimed     int  // of claimed, on slow lanes
	slowFlying      int  // of flying, on slow lanes
	more            bool // the last claim took all there was room for
}

func newLanes() *lanes { return &lanes{byHost: map[string]*lane{}} }

// room is how many more may be claimed.
func (ls *lanes) room() int { return claimedMost - ls.claimed }

// busy is what a claim asks for each host.
func (ls *lanes) busy(host string, taken int) bool {
	l := ls.byHost[host]
	switch {
	case l == nil:
		return taken >= 1
	case l.slow && ls.slowClaimed >= slowSlots:
		return true // it would only wait for a slot until its lease runs out
	}
	return l.claimed()+taken >= l.credit
}

// add takes what was claimed when there was room for that many.
func (ls *lanes) add(deliveries []storage.Delivery, room int) {
	ls.more = len(deliveries) >= room
	for _, d := range deliveries {
		l := ls.byHost[d.Host]
		if l == nil {
			ls.forget()
			l = &lane{credit: 1, slow: true} // until it has shown otherwise
			ls.byHost[d.Host] = l
		}
		if len(l.queue) == 0 {
			ls.waiting = append(ls.waiting, l)
		}
		l.queue = append(l.queue, d)
		l.full = l.claimed() >= l.credit
		ls.count(l, 1, 0)
	}
}

// count keeps the sums when a lane's claimed and flying deliveries change.
func (ls *lanes) count(l *lane, claimed, flying int) {
	ls.claimed += claimed
	ls.flying += flying
	if l.slow {
		ls.slowClaimed += claimed
		ls.slowFlying += flying
	}
}

// start gives out the deliveries that have a slot now, hosts in turn.
func (ls *lanes) start(begin func(storage.Delivery)) {
	for began := true; began; {
		began = false
		waiting := ls.waiting[:0]
		for _, l := range ls.waiting {
			if ls.flying < slots && l.flying < min(l.credit, perHost) && (!l.slow || ls.slowFlying < slowSlots) {
				d := l.queue[0]
				l.queue = l.queue[1:]
				l.flying++
				ls.count(l, 0, 1)
				began = true
				begin(d)
			}
			if len(l.queue) > 0 {
				waiting = append(waiting, l)
			}
		}
		ls.waiting = waiting
	}
}

// finish frees the slot of an attempt, and says whether a claim may find more now.
func (ls *lanes) finish(f flight) (hungry bool) {
	l := ls.byHost[f.host]
	ls.count(l, -1, -1)
	l.flying--
	if f.attempted {
		ls.learn(l, f)
	}
	if l.full && l.claimed() <= l.credit/2 {
		l.full, hungry = false, true
	}
	if ls.more && ls.claimed <= claimedMost/2 {
		ls.more, hungry = false, true
	}
	return hungry
}

// learn judges a host by its last attempt.
func (ls *lanes) learn(l *lane, f flight) {
	claimed, flying := l.claimed(), l.flying
	ls.count(l, -claimed, -flying)
	l.slow = f.took >= slow
	ls.count(l, claimed, flying)
	switch {
	case !l.slow: // a quick refusal holds nobody up either
		l.credit = min(l.credit+1, aheadMost)
	case f.answered:
		l.credit = min(l.credit+1, perHost)
	default:
		l.credit = 1
	}
}

// drop empties the queues, when nothing more is to be started.
func (ls *lanes) drop() []storage.Delivery {
	var dropped []storage.Delivery
	for _, l := range ls.waiting {
		dropped = append(dropped, l.queue...)
		ls.count(l, -len(l.queue), 0)
		l.queue = nil
	}
	ls.waiting = nil
	return dropped
}

// forget makes room for another host.
func (ls *lanes) forget() {
	if len(ls.byHost) < lanesMost {
		return
	}
	for host, l := range ls.byHost {
		if l.claimed() == 0 {
			delete(ls.byHost, host)
		}
	}
}
