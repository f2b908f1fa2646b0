//go:build unix

package agentproto

import "syscall"

// noLinks opens a file without following a link, or waiting for a pipe.
const noLinks = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
