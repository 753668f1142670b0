package shell

import "os/exec"

func shellCommand(line string) *exec.Cmd { return exec.Command("cmd", "/C", line) }
