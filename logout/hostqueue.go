package logout

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

const (
	// maxPerHost is the largest number of attempts that run at one host at the same time.
	maxPerHost = 4
	// maxInFlight is the largest number of attempts that run at the same time.
	maxInFlight = 512
	// maxClaimLimit is the largest number of deliveries that are claimed for one quick host at a time. A large number
	// keeps the number of commits small.
	maxClaimLimit = 64
	// slowThreshold is how long an attempt takes at least to make its host slow. From then on the attempt uses no slot
	// of the quick hosts any more, even if it still waits for the answer.
	slowThreshold = 500 * time.Millisecond
	// maxHosts is the largest number of hosts with a queue in memory, including hosts without deliveries.
	maxHosts = 4096
)

// hostQueue contains the claimed deliveries of one host. Its claimLimit grows with each quick attempt, and falls when
// the host is slow or does not answer. A host that hangs thus uses one slot, and few of its deliveries are leased.
type hostQueue struct {
	host       string
	speed      hostSpeed
	claimLimit int                // the largest number of claimed deliveries, in the queue and in flight
	inFlight   int                // number of attempts under way
	queue      []storage.Delivery // claimed, not yet attempted
	responsive bool               // in this burst an attempt was answered or ended quickly; see add
	moreDue    bool               // the store may have due deliveries for the host that are not claimed
}

func newHostQueue(host string, speed hostSpeed) *hostQueue {
	return &hostQueue{host: host, speed: speed, claimLimit: 1}
}

func (q *hostQueue) class() hostClass { return classOf(q.host, q.speed) }

func (q *hostQueue) claimed() int { return q.inFlight + len(q.queue) }

// maxConcurrent returns how many attempts may run at the host now. It is one until the host has answered, so that a
// host that hangs uses one slot and not maxPerHost.
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

// hostQueues contains the queues of all hosts and counts the slots that they use. Each class of hosts has its own
// slots. Only the goroutine of Dispatcher.Run uses it.
type hostQueues struct {
	byHost           map[string]*hostQueue
	waiting          []*hostQueue        // hosts with deliveries in their queue
	running          []*runningAttempt   // attempts younger than slowThreshold, oldest first
	claimed          [hostClassCount]int // claimed deliveries, in queues and in flight
	inFlight         [hostClassCount]int // attempts under way
	unknownHostStats UnknownHosts        // without Waiting, which publishUnknownHosts counts
	claimFilled      bool                // the last claim used all the room: more deliveries may be due
}

// newHostQueues returns empty queues. knownHosts are the hosts whose speed the store has recorded.
func newHostQueues(knownHosts []storage.HostHealth) *hostQueues {
	hq := &hostQueues{byHost: map[string]*hostQueue{}}
	count := min(len(knownHosts), maxHosts)
	for _, health := range knownHosts[:count] {
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

// room returns how many more deliveries may be claimed, over all classes.
func (hq *hostQueues) room() (n int) {
	for class, limits := range classLimits {
		n += max(0, limits.claimed-hq.claimed[class])
	}
	return n
}

// newClaimFilter returns the filter of one claim. It refuses a delivery if its host or the class of its host has no
// room for it.
func (hq *hostQueues) newClaimFilter() storage.ClaimFilter {
	takenByHost := map[string]int{}
	takenByClass := [hostClassCount]int{}
	return func(host string) bool {
		q := hq.byHost[host]
		if q == nil {
			q = newHostQueue(host, speedUnknown)
		}
		class := q.class()
		hostFull := q.claimed()+takenByHost[host] >= q.claimLimit
		classFull := hq.claimed[class]+takenByClass[class] >= classLimits[class].claimed
		if hostFull || classFull {
			return false
		}
		takenByHost[host]++
		takenByClass[class]++
		return true
	}
}

// add puts claimed deliveries into the queues of their hosts. room is the limit that the claim had.
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
			q.responsive = false // a burst begins when the host has no claimed deliveries
		}
		if len(q.queue) == 0 {
			hq.waiting = append(hq.waiting, q)
		}
		q.queue = append(q.queue, d)
		q.moreDue = q.claimed() >= q.claimLimit
		hq.claimed[q.class()]++
	}
}

// start starts attempts for queued deliveries while there are free slots. In each round every host gets one attempt
// at most, so that a host with many deliveries does not delay the others.
func (hq *hostQueues) start(now time.Time, startAttempt func(storage.Delivery, *runningAttempt)) {
	total := hq.totalInFlight()
	for startedAny := true; startedAny; {
		startedAny = false
		for _, q := range hq.waiting {
			if total >= maxInFlight || !hq.hasSlot(q) {
				continue
			}
			delivery := q.queue[0]
			q.queue = q.queue[1:]
			q.inFlight++
			hq.inFlight[q.class()]++
			total++
			attempt := &runningAttempt{queue: q, startedAt: now}
			hq.running = append(hq.running, attempt)
			startedAny = true
			startAttempt(delivery, attempt)
		}
		hq.waiting = slices.DeleteFunc(hq.waiting, func(q *hostQueue) bool { return len(q.queue) == 0 })
	}
}

// hasSlot reports whether one more attempt may run at the host, by the limits of the host and of its class.
func (hq *hostQueues) hasSlot(q *hostQueue) bool {
	class := q.class()
	return q.inFlight < q.maxConcurrent() && hq.inFlight[class] < classLimits[class].inFlight
}

// demoteOverdue marks a host as slow if one of its attempts has taken slowThreshold and is not finished. If younger
// attempts are running, it returns the time until the oldest of them is overdue.
func (hq *hostQueues) demoteOverdue(now time.Time) (untilNext time.Duration, ok bool) {
	for len(hq.running) > 0 {
		oldest := hq.running[0]
		if !oldest.finished {
			remaining := slowThreshold - now.Sub(oldest.startedAt)
			if remaining > 0 {
				return remaining, true
			}
			hq.setSpeed(oldest.queue, speedSlow)
			oldest.queue.claimLimit = 1
		}
		hq.running = hq.running[1:]
	}
	return 0, false
}

// setSpeed changes the speed of a host, and counts its claimed deliveries and attempts in the class of the new speed.
func (hq *hostQueues) setSpeed(q *hostQueue, speed hostSpeed) {
	hq.claimed[q.class()] -= q.claimed()
	hq.inFlight[q.class()] -= q.inFlight
	q.speed = speed
	hq.claimed[q.class()] += q.claimed()
	hq.inFlight[q.class()] += q.inFlight
}

// finish frees the slot of an attempt. claimDue reports whether to claim again: an earlier claim may have left due
// deliveries for lack of room, and now half of the room is free. Waiting for half of it keeps the number of commits
// small.
func (hq *hostQueues) finish(result attemptResult) (claimDue bool) {
	q := result.running.queue
	result.running.finished = true
	hq.claimed[q.class()]--
	hq.inFlight[q.class()]--
	q.inFlight--
	if result.sent {
		hq.updateClaimLimit(q, result)
	}
	hostHalfFree := q.claimed() <= q.claimLimit/2
	if q.moreDue && hostHalfFree {
		q.moreDue = false
		claimDue = true
	}
	class := q.class()
	classHalfFree := hq.claimed[class] <= classLimits[class].claimed/2
	if hq.claimFilled && classHalfFree {
		hq.claimFilled = false
		claimDue = true
	}
	return claimDue
}

// updateClaimLimit sets a host's speed and claim limit according to its last attempt.
func (hq *hostQueues) updateClaimLimit(q *hostQueue, result attemptResult) {
	slow := result.duration >= slowThreshold
	hq.setSpeed(q, speedOf(slow))
	q.responsive = result.gotAnswer || !slow // a refused connection is quick, and frees its slot
	switch {
	case !slow:
		q.claimLimit = min(q.claimLimit+1, maxClaimLimit)
	case result.gotAnswer: // slow, but the host works
		q.claimLimit = min(q.claimLimit+1, maxPerHost)
	default: // slow and without an answer
		q.claimLimit = 1
	}
}

// behind reports whether a quick host of an operator's client may have due deliveries that are not claimed. It ignores
// other hosts, because a host that hangs would stay behind for hours.
func (hq *hostQueues) behind() bool {
	for _, q := range hq.waiting {
		if q.moreDue && q.class() == operatorQuick {
			return true
		}
	}
	return false
}

// drain empties the queues at shutdown, and returns the claimed deliveries that were not attempted.
func (hq *hostQueues) drain() []storage.Delivery {
	var unattempted []storage.Delivery
	for _, q := range hq.waiting {
		unattempted = append(unattempted, q.queue...)
		hq.claimed[q.class()] -= len(q.queue)
		q.queue = nil
	}
	hq.waiting = nil
	return unattempted
}

// evictIdle removes the queues of all hosts without claimed deliveries if there are maxHosts queues.
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
