package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is the id of a running process. Its methods read /proc (proc(5)).
type process int

// tick is the unit of CPU times in /proc: 1/USER_HZ. USER_HZ is 100 on all architectures of Go.
const tick = 10 * time.Millisecond

// The fields of /proc/PID/stat, counted after the name of the program.
const (
	userField   = 11
	systemField = 12
)

// cpu returns the CPU time that the process has used, in user and system mode.
func (p process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
	if err != nil {
		return 0
	}
	nameEnd := strings.LastIndexByte(string(text), ')') // the name may have spaces and parentheses
	fields := strings.Fields(string(text[nameEnd+1:]))
	if len(fields) <= systemField {
		return 0
	}
	user, _ := strconv.ParseInt(fields[userField], 10, 64)
	system, _ := strconv.ParseInt(fields[systemField], 10, 64)
	return time.Duration(user+system) * tick
}

// memory returns the resident memory, in bytes: private memory, and mapped files (program and store), which the system
// can reclaim.
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
