package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	// maxPerHost is how many attempts one host gets at the same time.
	maxPerHost = 4
	// maxInFlight is how many attempts are made at the same time in all.
	maxInFlight = 512
	// maxClaimLimit is how many deliveries are claimed for one quick host at a time, so that claims need few commits.
	maxClaimLimit = 64
	// slowThreshold is how long an attempt may take before its host counts as slow. The attempt leaves the slots of quick hosts then, whether
	// or not the host answers later.
	slowThreshold = 500 * time.Millisecond
	// maxHosts is how many hosts are remembered.
	maxHosts = 4096
)

// hostQueue has the deliveries of one host. How many are claimed ahead grows with each quick attempt and falls back when the host is slow
// or does not answer: a hanging host holds one slot, and no delivery waits behind it for longer than its lease.
type hostQueue struct {
	host       string
	speed      hostSpeed
	claimLimit int // how many may be claimed at a time
	inFlight   int
	queue      []storage.Delivery
	responsive bool // it has answered since its queue was last empty
	moreDue    bool // more may be due for it than was claimed
}

func newHostQueue(host string, speed hostSpeed) *hostQueue {
	return &hostQueue{host: host, speed: speed, claimLimit: 1}
}

func (q *hostQueue) class() hostClass { return classOf(q.host, q.speed) }

func (q *hostQueue) claimed() int { return q.inFlight + len(q.queue) }

// maxConcurrent is how many attempts the host gets now. The first one of a burst goes alone, so that a host that has begun to hang takes one
// slot and not four.
func (q *hostQueue) maxConcurrent() int {
	if !q.responsive {
		return 1
	}
	return min(q.claimLimit, maxPerHost)
}

// runningAttempt is an attempt in flight.
type runningAttempt struct {
	queue     *hostQueue
	startedAt time.Time
	finished  bool
}

// hostQueues share the slots among hosts: each class of hosts has slots of its own. Only the dispatcher's loop touches them.
type hostQueues struct {
	byHost      map[string]*hostQueue
	waiting     []*hostQueue      // with deliveries in their queue
	running     []*runningAttempt // younger than slowThreshold, oldest first
	claimed     [hostClasses]int
	inFlight    [hostClasses]int
	claimFilled bool // the last claim took all there was room for
}

// newHostQueues returns the queues of a process that knows these hosts from an earlier one.
func newHostQueues(known []storage.HostHealth) *hostQueues {
	hq := &hostQueues{byHost: map[string]*hostQueue{}}
	for _, health := range known[:min(len(known), maxHosts)] {
		hq.byHost[health.Host] = newHostQueue(health.Host, speedOf(health.Slow))
	}
	return hq
}

func (hq *hostQueues) totalInFlight() (n int) {
	for _, inFlight := range hq.inFlight {
		n += inFlight
	}
	return n
}

// room is how many more may be claimed.
func (hq *hostQueues) room() (n int) {
	for class, limits := range classLimits {
		n += max(0, limits.claimed-hq.claimed[class])
	}
	return n
}

// busy returns the filter of one claim: whether to pass over the deliveries of a host, of which the claim has taken so many.
func (hq *hostQueues) busy() func(host string, taken int) bool {
	takenByHost := map[string]int{}
	takenByClass := [hostClasses]int{}
	return func(host string, taken int) bool {
		q := hq.byHost[host]
		if q == nil {
			q = newHostQueue(host, speedUnknown)
		}
		class := q.class()
		if q.claimed()+taken >= q.claimLimit || hq.claimed[class]+takenByClass[class] >= classLimits[class].claimed {
			return true
		}
		takenByClass[class] += taken + 1 - takenByHost[host]
		takenByHost[host] = taken + 1
		return false
	}
}

// add takes what was claimed when there was room for that many.
func (hq *hostQueues) add(deliveries []storage.Delivery, room int) {
	hq.claimFilled = len(deliveries) >= room
	for _, d := range deliveries {
		q := hq.byHost[d.Host]
		if q == nil {
			hq.evictIdle()
			q = newHostQueue(d.Host, speedUnknown)
			hq.byHost[d.Host] = q
		}
		if q.claimed() == 0 {
			q.responsive = false
		}
		if len(q.queue) == 0 {
			hq.waiting = append(hq.waiting, q)
		}
		q.queue = append(q.queue, d)
		q.moreDue = q.claimed() >= q.claimLimit
		hq.claimed[q.class()]++
	}
}

// start gives out the deliveries that have a slot now, hosts in turn.
func (hq *hostQueues) start(now time.Time, startAttempt func(storage.Delivery, *runningAttempt)) {
	total := hq.totalInFlight()
	for progress := true; progress; {
		progress = false
		waiting := hq.waiting[:0]
		for _, q := range hq.waiting {
			class := q.class()
			if total < maxInFlight && q.inFlight < q.maxConcurrent() && hq.inFlight[class] < classLimits[class].inFlight {
				d := q.queue[0]
				q.queue = q.queue[1:]
				q.inFlight++
				hq.inFlight[class]++
				total++
				attempt := &runningAttempt{queue: q, startedAt: now}
				hq.running = append(hq.running, attempt)
				progress = true
				startAttempt(d, attempt)
			}
			if len(q.queue) > 0 {
				waiting = append(waiting, q)
			}
		}
		clear(hq.waiting[len(waiting):])
		hq.waiting = waiting
	}
}

// demoteOverdue counts the hosts of attempts that take longer than slowThreshold as slow. If there are younger attempts, it returns when the
// oldest of them will be overdue.
func (hq *hostQueues) demoteOverdue(now time.Time) (next time.Duration, ok bool) {
	for len(hq.running) > 0 {
		oldest := hq.running[0]
		if remaining := slowThreshold - now.Sub(oldest.startedAt); !oldest.finished && remaining > 0 {
			return remaining, true
		}
		if !oldest.finished {
			hq.setSpeed(oldest.queue, speedSlow)
			oldest.queue.claimLimit = 1
		}
		hq.running = hq.running[1:]
	}
	return 0, false
}

// setSpeed moves a host, with its claimed deliveries and attempts, to the class of that speed.
func (hq *hostQueues) setSpeed(q *hostQueue, speed hostSpeed) {
	hq.claimed[q.class()] -= q.claimed()
	hq.inFlight[q.class()] -= q.inFlight
	q.speed = speed
	hq.claimed[q.class()] += q.claimed()
	hq.inFlight[q.class()] += q.inFlight
}

// finish frees the slot of an attempt, and reports whether a claim may find more now.
func (hq *hostQueues) finish(result attemptResult) (claimDue bool) {
	q := result.running.queue
	result.running.finished = true
	hq.claimed[q.class()]--
	hq.inFlight[q.class()]--
	q.inFlight--
	if result.sent {
		hq.updateClaimLimit(q, result)
	}
	if q.moreDue && q.claimed() <= q.claimLimit/2 {
		q.moreDue, claimDue = false, true
	}
	if class := q.class(); hq.claimFilled && hq.claimed[class] <= classLimits[class].claimed/2 {
		hq.claimFilled, claimDue = false, true
	}
	return claimDue
}

// updateClaimLimit sets a host's speed and claim limit by its last attempt.
func (hq *hostQueues) updateClaimLimit(q *hostQueue, result attemptResult) {
	slow := result.duration >= slowThreshold
	hq.setSpeed(q, speedOf(slow))
	q.responsive = result.gotAnswer || !slow
	switch {
	case !slow: // a quick refusal delays no other host either
		q.claimLimit = min(q.claimLimit+1, maxClaimLimit)
	case result.gotAnswer:
		q.claimLimit = min(q.claimLimit+1, maxPerHost)
	default:
		q.claimLimit = 1
	}
}

// behind reports whether more deliveries may be due for a quick host of an operator's client than are claimed. Other hosts do not count: a
// hanging host would be behind for hours.
func (hq *hostQueues) behind() bool {
	for _, q := range hq.waiting {
		if q.moreDue && q.class() == operatorQuick {
			return true
		}
	}
	return false
}

// drain empties the queues, when no more attempts are to be started.
func (hq *hostQueues) drain() []storage.Delivery {
	var dropped []storage.Delivery
	for _, q := range hq.waiting {
		dropped = append(dropped, q.queue...)
		hq.claimed[q.class()] -= len(q.queue)
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
