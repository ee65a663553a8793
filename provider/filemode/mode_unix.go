//go:build unix

package filemode

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// enforced is false where a file has no mode of this kind.
const enforced = true

// isDictatedGroup reports whether the process is in the group of the file, and the mode is not the operator's choice:
// the file or its folder is setgid for that group, as the kubelet leaves a volume under fsGroup, or another user owns
// the file.
func isDictatedGroup(path string, info fs.FileInfo) bool {
	owner, group, ok := ownerOf(info)
	if !ok || !inGroup(group) {
		return false
	}
	if owner != os.Geteuid() || info.IsDir() && info.Mode()&fs.ModeSetgid != 0 {
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
	groups, err := os.Getgroups()
	return group == os.Getegid() || err == nil && slices.Contains(groups, group)
}
