//go:build !linux

package bolt

import "errors"

// verifyDevice always returns an error: on this system Curfew cannot compare the file with the disk.
func verifyDevice(string) error {
	return errors.New("this system cannot show whether the disk has what was written; restart the machine")
}

// hasRoom always returns true: the commit finds out.
func hasRoom(string) bool { return true }
