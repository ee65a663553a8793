//go:build !linux

package bolt

import "errors"

// verifyDevice cannot compare the file with the disk on this system.
func verifyDevice(string) error {
	return errors.New("this system cannot show whether the disk has what was written; restart the machine")
}
