package fault

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory returns what the server has in memory now and had at most, in megabytes. now leaves out the pages of the
// store's file, which the system can drop at any time; peak includes them. It is 0 where there is no /proc.
func (w *world) memory() (now, peak int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.op.PID()))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch name {
		case "RssAnon":
			now = kilobytes / 1024
		case "VmHWM":
			peak = kilobytes / 1024
		}
	}
	return now, peak
}

// metric returns the value of a metric without labels.
func (w *world) metric(name string) float64 {
	w.t.Helper()
	response, err := w.http().Get("http://" + w.metrics + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if text, found := strings.CutPrefix(lines.Text(), name+" "); found {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				w.t.Fatal(err)
			}
			return value
		}
	}
	w.t.Fatalf("the server has no metric %s", name)
	return 0
}

// files returns how many files and connections the server has open.
func (w *world) files() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.op.PID()))
	if err != nil {
		return 0
	}
	return len(entries)
}
