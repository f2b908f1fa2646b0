package podsim

import (
	"errors"
	"strings"
	"syscall"
)

// freebind is IPV6_FREEBIND, which package syscall does not have.
const freebind = 78

// anyAddress lets a socket listen on an address of IPv6 that no interface has: the
// local route of a lab brings its connections here. With IPv4 the route is enough.
func anyAddress(network, _ string, c syscall.RawConn) error {
	if !strings.HasSuffix(network, "6") {
		return nil
	}
	var set error
	err := c.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, freebind, 1) })
	return errors.Join(err, set)
}
