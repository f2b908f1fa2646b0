package podsim

import (
	"errors"
	"strings"
	"syscall"
)

// freebind is IPV6_FREEBIND, which package syscall does not have.
const freebind = 78

// anyAddress lets a socket listen on an IPv6 address that no interface has. The
// local route of a lab leads its connections to this machine. For IPv4 addresses
// the route alone is enough.
func anyAddress(network, _ string, c syscall.RawConn) error {
	if !strings.HasSuffix(network, "6") {
		return nil
	}
	var set error
	err := c.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, freebind, 1) })
	return errors.Join(err, set)
}
