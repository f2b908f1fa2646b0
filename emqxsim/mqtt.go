package emqxsim

import (
	"bufio"
	"context"
	"encoding/binary"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/openecp/openecp/ecp"
)

// blockedFor is how long healthy nodes answer no client after a member began to hang: they
// wait for one another to find out whether a client is known.
const blockedFor = 44 * time.Second

// The answers to a CONNECT of MQTT 5.
const (
	connackSuccess      = 0x00
	connackUnavailable  = 0x88
	connackQuota        = 0x97
	connackOtherServer  = 0x9C
	connackNoProperties = 0
)

// DialMQTT connects to a node as an MQTT client does. The node answers one CONNECT of
// version 5. See [ecp.ClientDialer].
func (p *Provisioner) DialMQTT(ctx context.Context, id ecp.ID, node string) (net.Conn, error) {
	if err := p.checkReachable(ctx, "reach "+string(id)); err != nil {
		return nil, err
	}
	c := p.Cluster(id)
	var n *Node
	if c != nil {
		c.change(func(time.Time) { n = c.findAny(node) })
	}
	if n == nil || !n.opens() {
		return nil, &net.OpError{
			Op: "dial", Net: "tcp", Addr: address(hostOf(node) + ":1883"),
			Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
		}
	}
	ours, theirs := net.Pipe()
	go n.ServeMQTT(theirs)
	return ours, nil
}

// opens reports whether the node's listener accepts connections at all.
func (n *Node) opens() (opens bool) {
	n.c.change(func(t time.Time) {
		l := n.plainListener()
		opens = n.up(t) && l != nil && l.running(n)
	})
	return opens
}

// plainListener returns the listener for MQTT over TCP, or nil if there is none.
func (n *Node) plainListener() *listener {
	if n.c.major == 4 {
		return n.db.listener("mqtt:tcp:external")
	}
	return n.db.listener("tcp:default")
}

// full reports whether the node's listener has as many connections as it takes, so that it
// closes others.
func (n *Node) full() (full bool) {
	n.c.change(func(time.Time) {
		l := n.plainListener()
		full = l != nil && l.limit(n) > 0 && n.c.through(l.id, n) >= l.limit(n)
	})
	return full
}

// ServeMQTT answers the CONNECT of one MQTT 5 client, waits until the client disconnects,
// and closes the connection. A node that hangs does not answer.
func (n *Node) ServeMQTT(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	if _, err := in.ReadByte(); err != nil {
		return
	}
	length, err := binary.ReadUvarint(in)
	if err != nil || length > 1<<16 {
		return
	}
	if _, err := in.Discard(int(length)); err != nil { //nolint:gosec // bounded above
		return
	}
	if n.full() {
		return
	}
	if reason, answers := n.connack(); answers {
		if _, err := conn.Write([]byte{0x20, 3, 0, reason, connackNoProperties}); err != nil {
			return
		}
	}
	_, _ = in.ReadByte() // until the client disconnects
}

// connack returns the answer to a client, or false if there is none.
func (n *Node) connack() (reason byte, answers bool) {
	answers = true
	n.c.change(func(t time.Time) {
		switch {
		case n.suspended != nil:
			answers = false
		case n.blocked(t):
			reason = connackUnavailable
		case n.evac != nil && !n.accepts(t):
			reason = connackOtherServer
		case !n.accepts(t):
			reason = connackUnavailable
		case n.c.licenseRefuses(t) != "" || n.c.licenseLeft(nil, t) <= 0:
			reason = connackQuota
		default:
			reason = connackSuccess
		}
	})
	return reason, answers
}

// blocked reports whether the node waits for a member that has just begun to hang.
func (n *Node) blocked(t time.Time) bool {
	for _, m := range n.visible(t) {
		if m.suspended != nil && t.Before(m.suspended.since.Add(blockedFor)) {
			return true
		}
	}
	return false
}
