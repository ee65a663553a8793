package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	// maxPerHost is how many attempts one host gets at the same time.
	maxPerHost = 4
	// maxInFlight is how many attempts are made at the same time in all.
	maxInFlight = 64
	// maxSlowInFlight is how many of them may be with hosts that were slow or silent the last time, or are not known yet: those that are
	// known to be quick always find a slot.
	maxSlowInFlight = maxInFlight / 2
	// maxClaimLimit is how many deliveries are claimed for one quick host at a time, so that claims need few commits.
	maxClaimLimit = 64
	// maxClaimed is how many are claimed in all.
	maxClaimed = 512
	// slowThreshold is how long an answer may take before its host counts as slow.
	slowThreshold = time.Second
	// maxHosts is how many hosts are remembered.
	maxHosts = 4096
)

// hostQueue is one host. How much is claimed for it ahead grows with each quick attempt and falls back when it is slow or silent, so that a
// hanging host holds one slot and nothing waits behind it for longer than its lease.
type hostQueue struct {
	claimLimit int // how many may be claimed at a time
	inFlight   int
	queue      []storage.Delivery
	slow       bool
	moreDue    bool // more may be due for it than was claimed
}

func (q *hostQueue) claimed() int { return q.inFlight + len(q.queue) }

// hostQueues share the slots among hosts. Only the dispatcher's loop touches them.
type hostQueues struct {
	byHost            map[string]*hostQueue
	waiting           []*hostQueue // with something in their queue
	claimed, inFlight int
	slowClaimed       int  // of claimed, on slow lanes
	slowInFlight      int  // of flying, on slow lanes
	claimFilled       bool // the last claim took all there was room for
}

func newHostQueues() *hostQueues { return &hostQueues{byHost: map[string]*hostQueue{}} }

// room is how many more may be claimed.
func (hq *hostQueues) room() int { return maxClaimed - hq.claimed }

// busy is what a claim asks for each host.
func (hq *hostQueues) busy(host string, alreadyClaimed int) bool {
	q := hq.byHost[host]
	switch {
	case q == nil:
		return alreadyClaimed >= 1
	case q.slow && hq.slowClaimed >= maxSlowInFlight:
		return true // it would only wait for a slot until its lease runs out
	}
	return q.claimed()+alreadyClaimed >= q.claimLimit
}

// add takes what was claimed when there was room for that many.
func (hq *hostQueues) add(deliveries []storage.Delivery, room int) {
	hq.claimFilled = len(deliveries) >= room
	for _, d := range deliveries {
		q := hq.byHost[d.Host]
		if q == nil {
			hq.evictIdle()
			q = &hostQueue{claimLimit: 1, slow: true} // until it has shown otherwise
			hq.byHost[d.Host] = q
		}
		if len(q.queue) == 0 {
			hq.waiting = append(hq.waiting, q)
		}
		q.queue = append(q.queue, d)
		q.moreDue = q.claimed() >= q.claimLimit
		hq.adjustCounts(q, 1, 0)
	}
}

// adjustCounts keeps the sums when a lane's claimed and flying deliveries change.
func (hq *hostQueues) adjustCounts(q *hostQueue, claimed, inFlight int) {
	hq.claimed += claimed
	hq.inFlight += inFlight
	if q.slow {
		hq.slowClaimed += claimed
		hq.slowInFlight += inFlight
	}
}

// start gives out the deliveries that have a slot now, hosts in turn.
func (hq *hostQueues) start(startAttempt func(storage.Delivery)) {
	for progress := true; progress; {
		progress = false
		waiting := hq.waiting[:0]
		for _, q := range hq.waiting {
			if hq.inFlight < maxInFlight && q.inFlight < min(q.claimLimit, maxPerHost) && (!q.slow || hq.slowInFlight < maxSlowInFlight) {
				d := q.queue[0]
				q.queue = q.queue[1:]
				q.inFlight++
				hq.adjustCounts(q, 0, 1)
				progress = true
				startAttempt(d)
			}
			if len(q.queue) > 0 {
				waiting = append(waiting, q)
			}
		}
		hq.waiting = waiting
	}
}

// finish frees the slot of an attempt, and says whether a claim may find more now.
func (hq *hostQueues) finish(result attemptResult) (claimDue bool) {
	q := hq.byHost[result.host]
	hq.adjustCounts(q, -1, -1)
	q.inFlight--
	if result.sent {
		hq.updateClaimLimit(q, result)
	}
	if q.moreDue && q.claimed() <= q.claimLimit/2 {
		q.moreDue, claimDue = false, true
	}
	if hq.claimFilled && hq.claimed <= maxClaimed/2 {
		hq.claimFilled, claimDue = false, true
	}
	return claimDue
}

// updateClaimLimit judges a host by its last attempt.
func (hq *hostQueues) updateClaimLimit(q *hostQueue, result attemptResult) {
	claimed, inFlight := q.claimed(), q.inFlight
	hq.adjustCounts(q, -claimed, -inFlight)
	q.slow = result.duration >= slowThreshold
	hq.adjustCounts(q, claimed, inFlight)
	switch {
	case !q.slow: // a quick refusal holds nobody up either
		q.claimLimit = min(q.claimLimit+1, maxClaimLimit)
	case result.gotAnswer:
		q.claimLimit = min(q.claimLimit+1, maxPerHost)
	default:
		q.claimLimit = 1
	}
}

// drain empties the queues, when nothing more is to be started.
func (hq *hostQueues) drain() []storage.Delivery {
	var dropped []storage.Delivery
	for _, q := range hq.waiting {
		dropped = append(dropped, q.queue...)
		hq.adjustCounts(q, -len(q.queue), 0)
		q.queue = nil
	}
	hq.waiting = nil
	return dropped
}

// evictIdle makes room for another host.
func (hq *hostQueues) evictIdle() {
	if len(hq.byHost) < maxHosts {
		return
	}
	for host, q := range hq.byHost {
		if q.claimed() == 0 {
			delete(hq.byHost, host)
		}
	}
}
