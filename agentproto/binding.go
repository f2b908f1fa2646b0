package agentproto

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
)

// bound returns the value that is signed in place of the nonce. On the direct carrier it
// is the nonce followed by the exporter value of the TLS connection (RFC 9266,
// tls-exporter), which only the two ends of that connection know. A host in between that
// ends TLS, even with a certificate that the agent trusts, has two TLS connections, and
// the proof for one is not valid on the other. On WebSocket, which is for networks where
// TLS ends in between, it is the nonce alone.
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
