//go:build !linux

package kubelab

import "syscall"

// childAttr exists so that the package compiles elsewhere; Available refuses.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
