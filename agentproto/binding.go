package agentproto

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
)

// bound returns what stands for the nonce in a signature: on the direct carrier
// the nonce with the TLS connection's exporter value behind it (RFC 9266,
// tls-exporter). Both ends of one TLS connection have the same value, and nobody
// else has: whoever ends TLS in between, with whatever certificate the agent
// believes, has a connection to each side, and the proof for the one is worth
// nothing on the other. On WebSocket, which is for places where TLS ends in
// between, it is the nonce alone.
func bound(nonce []byte, conn net.Conn) ([]byte, error) {
	if c, ok := conn.(*carrierConn); ok {
		conn = c.Conn
	}
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nonce, nil
	}
	state := secure.ConnectionState()
	value, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, bindingSize)
	if err != nil {
		return nil, fmt.Errorf("bind the proof to its TLS connection: %w", err)
	}
	return slices.Concat(nonce, value), nil
}

// bindingSize is the length of a binding in bytes.
const bindingSize = 32
