package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is one that runs, by its id, as /proc shows it (proc(5)).
type process int

// tick is the unit of its times: USER_HZ, 100 on all architectures that Go knows.
const tick = 10 * time.Millisecond

// cpu is what it has used of all processors, in user and system mode.
func (p process) cpu() time.Duration {
	fields := p.fields("stat")
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}

// resident is how much of it stands in memory, in bytes.
func (p process) resident() int64 {
	fields := p.fields("stat")
	if len(fields) < 22 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	return pages * int64(os.Getpagesize())
}

// fields are those behind the program's name, which may hold anything.
func (p process) fields(file string) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p, file))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}
