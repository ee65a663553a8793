package logout

import "time"

// retryPauses are the pauses after each attempt that may do better next time; the last one repeats until the delivery is given up.
var retryPauses = [...]time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}

// refusalPauses are the pauses after an answer that says no. A relying party that cannot verify a token right after a key rotation has
// fetched the new keys by then.
var refusalPauses = [...]time.Duration{30 * time.Second, 10 * time.Minute}

// maxRetryAfter is how far a relying party may put off the next attempt.
const maxRetryAfter = time.Hour

// retryPause is the pause after that many attempts.
func retryPause(attempts int) time.Duration {
	return retryPauses[min(max(attempts, 1), len(retryPauses))-1]
}

// refusalPause is the pause after that many refusals.
func refusalPause(refusals int) time.Duration {
	return refusalPauses[min(max(refusals, 1), len(refusalPauses))-1]
}

// jitter spreads a pause by a fifth either way, so that what failed together does not come back together. random is in [0, 1).
func jitter(pause time.Duration, random float64) time.Duration {
	return time.Duration(float64(pause) * (0.8 + 0.4*random))
}
