package kubelab

import "syscall"

// childAttr makes the kernel kill a program when the thread that started it
// ends, and keeps a terminal's Ctrl-C from reaching it before Stop does.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
