//go:build !unix

package blob

import "io/fs"

func fileNumber(fs.FileInfo) uint64 { return 0 }
