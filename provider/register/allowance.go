package register

import (
	"sync"
	"time"
)

// maxOpenADay is how many requests of open registration are taken in a day. Everybody may send them, each leaves audit lines, which stay when
// the client goes, and may make us fetch a document of somebody's.
const maxOpenADay = 10_000

// allowance counts them. It begins anew with the process.
type allowance struct {
	mu    sync.Mutex
	began time.Time
	taken int
}

// take takes one, if there is one left for the day that began with the first.
func (a *allowance) take(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if age := now.Sub(a.began); age >= 24*time.Hour || age < 0 {
		a.began, a.taken = now, 0
	}
	if a.taken >= maxOpenADay {
		return errNoMore
	}
	a.taken++
	return nil
}
