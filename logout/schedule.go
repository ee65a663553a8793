package logout

import "time"

// retryPauses are the pauses after the first, second … attempt without a final answer. The last one repeats until the
// delivery fails.
var retryPauses = [...]time.Duration{
	time.Second,
	5 * time.Second,
	30 * time.Second,
	2 * time.Minute,
	10 * time.Minute,
	30 * time.Minute,
}

// refusalPauses are the pauses after the first, second … refusal. They give a relying party time to fetch new keys
// after a key rotation.
var refusalPauses = [...]time.Duration{30 * time.Second, 10 * time.Minute}

// maxRetryAfter is the longest pause that a relying party can ask for by Retry-After.
const maxRetryAfter = time.Hour

// retryPause returns the pause after that many attempts.
func retryPause(attempts int) time.Duration {
	return retryPauses[min(max(attempts, 1), len(retryPauses))-1]
}

// refusalPause returns the pause after that many refusals.
func refusalPause(refusals int) time.Duration {
	return refusalPauses[min(max(refusals, 1), len(refusalPauses))-1]
}

// jitter varies a pause by up to a fifth, so that deliveries that failed together are not retried together. random is
// in [0, 1).
func jitter(pause time.Duration, random float64) time.Duration {
	const smallest, largest = 0.8, 1.2 // factors
	return time.Duration(float64(pause) * (smallest + (largest-smallest)*random))
}
