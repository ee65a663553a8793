//go:build unix

package filemode

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// enforced is true because files on Unix have a mode.
const enforced = true

// isDictatedGroup reports whether the process is in the group of the file and the operator did not choose the mode: the
// file or its folder is setgid for that group, as Kubernetes sets up a volume with fsGroup, or another user owns the
// file.
func isDictatedGroup(path string, info fs.FileInfo) bool {
	owner, group, ok := ownerOf(info)
	if !ok || !inGroup(group) {
		return false
	}
	isSetgidFolder := info.IsDir() && info.Mode()&fs.ModeSetgid != 0
	if owner != os.Geteuid() || isSetgidFolder {
		return true
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return false
	}
	_, folderGroup, ok := ownerOf(folder)
	return ok && folder.Mode()&fs.ModeSetgid != 0 && folderGroup == group
}

func ownerOf(info fs.FileInfo) (owner, group int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

func inGroup(group int) bool {
	if group == os.Getegid() {
		return true
	}
	groups, err := os.Getgroups()
	return err == nil && slices.Contains(groups, group)
}
