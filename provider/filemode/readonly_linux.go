package filemode

import "golang.org/x/sys/unix"

// isReadOnlyMount reports whether the file system of path is mounted read-only. Kubernetes and Docker mount secrets so.
func isReadOnlyMount(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) == nil && stat.Flags&unix.ST_RDONLY != 0
}
