//go:build !linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// EMQX Enterprise, and so its agent, runs on Linux. The rest of the tree is
// developed elsewhere too, so that the program has to compile there.

var errLinuxOnly = fmt.Errorf("emqxee-agent runs on Linux: %w", errors.ErrUnsupported)

func writable(string) bool                         { return false }
func runnable(string) bool                         { return false }
func ownerOf(fs.FileInfo) (uid, gid int)           { return os.Getuid(), os.Getgid() }
func linksOf(fs.FileInfo) int                      { return 1 }
func becomeUser(int, int) error                    { return errLinuxOnly }
func lockWhole(*os.File) error                     { return errLinuxOnly }
func whoLocks(*os.File) (int, error)               { return 0, errLinuxOnly }
func isHeld(error) bool                            { return false }
func inNewSession() *syscall.SysProcAttr           { return nil }
func endsWithParent() *syscall.SysProcAttr         { return nil }
func signalProcess(int, int, syscall.Signal) error { return errLinuxOnly }
func hideTyping(*os.File) error                    { return errLinuxOnly }
func overwrite(string)                             {}

const noLinks = 0
