package mqttprobe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/openecp/openecp/ecp"
)

// What follows asks a node the only question that MQTT has for who is no client
// yet: CONNECT, in its version 5, which tells why somebody is turned away. EMQX 4.4
// speaks it, too.

// The packets that are used.
const (
	mqttConnect    = 0x10
	mqttConnack    = 0x20
	mqttDisconnect = 0xE0
)

// mqttKeepAlive is what is promised of a connection that ends at once, in seconds.
const mqttKeepAlive = 10

// mqttTurnedAway are the answers that say that a node takes nobody now. All others,
// such as "not authorised" or a full quota, come from one that serves.
var mqttTurnedAway = map[byte]string{
	0x80: "an unspecified error", 0x83: "an error of its own", 0x88: "that it is not available",
	0x89: "that it is busy",
	0x9C: "to use another node", 0x9D: "that it has moved",
}

// ErrUnreached means that nothing was learned of MQTT.
var ErrUnreached = errors.New("it could not be reached")

// Probe connects to a node as a client and leaves. nil means it serves; an error
// that is ErrMQTTUnreached says nothing of that. ctx bounds it all.
func Probe(ctx context.Context, dial func(context.Context) (net.Conn, error), client string) error {
	conn, err := dial(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreached, err)
	}
	end := context.AfterFunc(ctx, func() { _ = conn.Close() }) // not every connection keeps deadlines
	defer func() {
		if end() {
			_ = conn.Close()
		}
	}()
	var reason byte
	if _, err = conn.Write(mqttConnectPacket(client)); err == nil {
		reason, err = readConnack(conn)
	}
	switch why, away := mqttTurnedAway[reason]; {
	case err != nil && ctx.Err() != nil:
		return errors.New("takes connections and does not answer MQTT")
	case errors.Is(err, ecp.ErrUnavailable):
		return fmt.Errorf("%w: %w", ErrUnreached, err)
	case errors.Is(err, errNoMQTT):
		return err
	case err != nil:
		return errors.New("closes the connections of MQTT clients unanswered")
	case away:
		return fmt.Errorf("tells MQTT clients %s (CONNACK 0x%02X)", why, reason)
	}
	_, _ = conn.Write([]byte{mqttDisconnect, 0}) // it has answered; this is politeness
	return nil
}

// mqttConnectPacket is the request of a client that keeps no session.
func mqttConnectPacket(client string) []byte {
	const cleanStart = 0x02
	body := binary.BigEndian.AppendUint16(nil, 4)
	body = append(body, "MQTT\x05"...)
	body = append(body, cleanStart)
	body = binary.BigEndian.AppendUint16(body, mqttKeepAlive)
	body = append(body, 0)                                          // no properties
	body = binary.BigEndian.AppendUint16(body, uint16(len(client))) //nolint:gosec // names of pods are short
	body = append(body, client...)
	return append(binary.AppendUvarint([]byte{mqttConnect}, uint64(len(body))), body...)
}

// errNoMQTT means that something else answers.
var errNoMQTT = errors.New("answers MQTT clients with something else than MQTT")

// mostConnack is how much of an answer is read: what is behind the reason is for
// clients that stay.
const mostConnack = 4 << 10

// readConnack reads the answer to its end, and returns its reason.
func readConnack(r io.Reader) (reason byte, err error) {
	head := make([]byte, 1)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, err
	}
	if head[0] != mqttConnack {
		return 0, errNoMQTT
	}
	length := 0
	for i := range binary.MaxVarintLen32 - 1 { // seven bits a byte
		if _, err := io.ReadFull(r, head); err != nil {
			return 0, err
		}
		length |= int(head[0]&0x7F) << (7 * i)
		if head[0] < 0x80 {
			break
		}
	}
	body := make([]byte, max(2, min(length, mostConnack))) // flags, reason, and properties
	_, err = io.ReadFull(r, body)
	return body[1], err
}
