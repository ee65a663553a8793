// Package filemode refuses secret files and data folders that other OS users can open. It accepts the access that
// Kubernetes and Docker set and the operator cannot change:
//
//	for a group of the process, if the file's folder is setgid for it     a volume with fsGroup
//	for a group of the process, if another user owns the file             a mounted secret
//	for all users, on a read-only mount                                   a mounted secret in a container
package filemode

import (
	"fmt"
	"io/fs"
)

// The permission bits of other users.
const (
	groupAny   = 0o070
	groupWrite = 0o020
	otherAny   = 0o007
	otherWrite = 0o002
)

// CheckSecret returns an error if other OS users have access to the file at path and the operator can prevent it.
func CheckSecret(path string, info fs.FileInfo) error {
	mode := info.Mode().Perm()
	switch {
	case !enforced || mode&(groupAny|otherAny) == 0 || isReadOnlyMount(path):
		return nil
	case mode&otherAny != 0:
		return fmt.Errorf("%s is open to all users (mode %04o): chmod 600 %s, or mount it read-only", path, mode, path)
	case !isDictatedGroup(path, info):
		return fmt.Errorf("%s is open to its group (mode %04o): chmod 600 %s", path, mode, path)
	}
	return nil
}

// CheckFolder returns an error if other OS users can write to the folder at path, and the operator can prevent it.
func CheckFolder(path string, info fs.FileInfo) error {
	mode := info.Mode().Perm()
	switch {
	case !enforced || mode&(groupWrite|otherWrite) == 0:
		return nil
	case mode&otherWrite != 0:
		return fmt.Errorf("all users can write to %s (mode %04o): chmod 700 %s", path, mode, path)
	case !isDictatedGroup(path, info):
		return fmt.Errorf("its group can write to %s (mode %04o): chmod 700 %s", path, mode, path)
	}
	return nil
}
