//go:build !linux

package filemode

// isReadOnlyMount is false: only Linux runs containers.
func isReadOnlyMount(string) bool { return false }
