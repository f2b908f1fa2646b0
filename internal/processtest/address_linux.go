package processtest

import (
	"sync"
	"syscall"
)

// reserve keeps a port of 127.0.0.1 for this test, until free is called: no other process
// can reserve it, and any can listen on it. It holds a socket with the port that does not
// listen, and that others share the port with from then on.
func reserve(port int) (free func(), ok bool) {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	free = sync.OnceFunc(func() { _ = syscall.Close(s) })
	if syscall.Bind(s, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}) != nil ||
		syscall.SetsockoptInt(s, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) != nil {
		free()
		return nil, false
	}
	return free, true
}
