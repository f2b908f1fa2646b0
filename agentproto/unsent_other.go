//go:build !linux

package agentproto

import "net"

// limitUnsent does nothing where the option is not known.
func limitUnsent(net.Conn) {}
