package mqttprobe

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMQTTAnswers: whoever answers serves, but for those who turn everybody away;
// who cannot be reached says nothing.
func TestMQTTAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		says string // in hex, to whoever connects; empty means the connection is closed, "-" = nothing
		err  error  // of the dialing
		want string // empty means it serves
	}{
		"success":               {says: "200600000321001e"},
		"not authorised":        {says: "2003008700"},
		"a full quota":          {says: "2003009700"},
		"only an older version": {says: "20020001"},
		"a long answer":         {says: "20830100009f" + strings.Repeat("00", 0x83-3)},
		"not available": {says: "2003008800",
			want: "tells MQTT clients that it is not available (CONNACK 0x88)"},
		"evacuating":     {says: "2003009c00", want: "tells MQTT clients to use another node (CONNACK 0x9C)"},
		"silence":        {says: "-", want: "takes connections and does not answer MQTT"},
		"closed":         {says: "", want: "closes the connections of MQTT clients unanswered"},
		"half an answer": {says: "2003", want: "closes the connections of MQTT clients unanswered"},
		"something else": {says: hex.EncodeToString([]byte("HTTP/1.1 400")), want: errNoMQTT.Error()},
		"refused":        {err: errors.New("refused"), want: "it could not be reached: refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				ours, theirs := net.Pipe()
				defer func() { _ = theirs.Close() }()
				go func() {
					in := bufio.NewReader(theirs)
					head := make([]byte, 2)
					if _, err := in.Read(head); err != nil {
						return
					}
					_, _ = in.Discard(int(head[1]))
					if says, err := hex.DecodeString(c.says); err == nil {
						_, _ = theirs.Write(says)
						if c.want != "" || c.says == "" {
							_ = theirs.Close()
						}
					}
					_, _ = in.ReadByte()
				}()
				err := Probe(ctx, func(context.Context) (net.Conn, error) { return ours, c.err }, "openecp-probe-x")
				_ = ours.Close()
				if c.want == "" {
					require.NoError(t, err)
					return
				}
				require.EqualError(t, err, c.want)
				require.Equal(t, c.err != nil, errors.Is(err, ErrUnreached))
			})
		})
	}
}

// TestMQTTConnectPacket is as the standard has it.
func TestMQTTConnectPacket(t *testing.T) {
	require.Equal(t, "100e"+"0004"+hex.EncodeToString([]byte("MQTT"))+"05"+"02"+"000a"+"00"+"0001"+"61",
		hex.EncodeToString(mqttConnectPacket("a")))
	long := mqttConnectPacket(string(make([]byte, 200)))
	require.Equal(t, []byte{mqttConnect, 0xD5, 0x01}, long[:3])
	require.Len(t, long, 3+0xD5)
}
