//go:build linux || darwin

package exec

import "syscall"

// diskSpace is how much of the disk of a folder this user may still write, and how much there is.
func diskSpace(dir string) (left, all int64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, false
	}
	block := int64(s.Bsize) //nolint:unconvert // of another type on other systems
	return int64(s.Bavail) * block, int64(s.Blocks) * block, true
}
