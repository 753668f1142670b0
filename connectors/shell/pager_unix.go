//go:build unix

package shell

import "os/exec"

func shellCommand(line string) *exec.Cmd { return exec.Command("/bin/sh", "-c", line) }
