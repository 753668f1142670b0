//go:build unix

package blob

import (
	"io/fs"
	"syscall"
)

// fileNumber tells files apart that replaced each other under one name within one tick of the clock.
func fileNumber(fi fs.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}
