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
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
	if err != nil {
		return 0
	}
	fields := strings.Fields(
		string(text[strings.LastIndexByte(string(text), ')')+1:]),
	) // the program's name may hold anything
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}

// memory is how much of it stands in memory, in bytes: its own, and what it shows of files (program and store), which
// the system takes back when it needs room.
func (p process) memory() (private, fileBacked int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p))
	if err != nil {
		return 0, 0
	}
	var size, resident, shared int64
	if _, err := fmt.Sscan(string(text), &size, &resident, &shared); err != nil {
		return 0, 0
	}
	page := int64(os.Getpagesize())
	return (resident - shared) * page, shared * page
}
