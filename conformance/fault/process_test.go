package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory returns what the server has in memory now and had at most, in megabytes. It is 0 where there is no /proc.
func (w *world) memory() (now, peak int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.op.PID()))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch name {
		case "VmRSS":
			now = kilobytes / 1024
		case "VmHWM":
			peak = kilobytes / 1024
		}
	}
	return now, peak
}

// files returns how many files and connections the server has open.
func (w *world) files() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.op.PID()))
	if err != nil {
		return 0
	}
	return len(entries)
}
