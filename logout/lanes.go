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
	// slowSlots is how many of them may be with hosts that were slow or silent the last time.
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

// lane is one host. How much is claimed for it ahead grows with each quick answer and falls back when it is slow or silent, so that a
// hanging host holds one slot and nothing else waits behind it for longer than its lease.
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
	slowFlying      int
	more            bool // the last claim took all there was room for
}

func newLanes() *lanes { return &lanes{byHost: map[string]*lane{}} }

// room is how many more may be claimed.
func (ls *lanes) room() int { return claimedMost - ls.claimed }

// busy is what a claim asks for each host.
func (ls *lanes) busy(host string, taken int) bool {
	if l := ls.byHost[host]; l != nil {
		return l.claimed()+taken >= l.credit
	}
	return taken >= 1
}

// add takes what was claimed when there was room for that many.
func (ls *lanes) add(deliveries []storage.Delivery, room int) {
	ls.more = len(deliveries) >= room
	for _, d := range deliveries {
		l := ls.byHost[d.Host]
		if l == nil {
			ls.forget()
			l = &lane{credit: 1}
			ls.byHost[d.Host] = l
		}
		if len(l.queue) == 0 {
			ls.waiting = append(ls.waiting, l)
		}
		l.queue = append(l.queue, d)
		l.full = l.claimed() >= l.credit
		ls.claimed++
	}
}

// start gives out the deliveries that have a slot now, hosts in turn.
func (ls *lanes) start(begin func(storage.Delivery)) {
	for ls.flying < slots {
		began := false
		waiting := ls.waiting[:0]
		for _, l := range ls.waiting {
			if ls.flying < slots && l.flying < min(l.credit, perHost) && (!l.slow || ls.slowFlying < slowSlots) {
				d := l.queue[0]
				l.queue = l.queue[1:]
				l.flying++
				ls.flying++
				if l.slow {
					ls.slowFlying++
				}
				began = true
				begin(d)
			}
			if len(l.queue) > 0 {
				waiting = append(waiting, l)
			}
		}
		ls.waiting = waiting
		if !began {
			return
		}
	}
}

// finish frees the slot of an attempt, and says whether a claim may find more now.
func (ls *lanes) finish(host string, answered bool, took time.Duration) (hungry bool) {
	l := ls.byHost[host]
	l.flying--
	ls.flying--
	ls.claimed--
	if l.slow {
		ls.slowFlying--
	}
	wasSlow := l.slow
	l.slow = took >= slow
	if l.slow != wasSlow {
		// What is still flying there now counts among the slow ones, or no longer.
		if l.slow {
			ls.slowFlying += l.flying
		} else {
			ls.slowFlying -= l.flying
		}
	}
	switch {
	case !answered:
		l.credit = 1
	case l.slow:
		l.credit = min(l.credit+1, perHost)
	default:
		l.credit = min(l.credit+1, aheadMost)
	}
	if l.full && l.claimed() <= l.credit/2 {
		l.full, hungry = false, true
	}
	if ls.more && ls.claimed <= claimedMost/2 {
		ls.more, hungry = false, true
	}
	return hungry
}

// drop empties the queues, when nothing more is to be started.
func (ls *lanes) drop() []storage.Delivery {
	var dropped []storage.Delivery
	for _, l := range ls.waiting {
		dropped = append(dropped, l.queue...)
		ls.claimed -= len(l.queue)
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
