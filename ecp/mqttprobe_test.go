package ecp

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
		says string // in hex, to whoever connects; "" = the connection is closed, "-" = nothing
		err  error  // of the dialing
		want string // "" = it serves
	}{
		"success":               {says: "200600000321001e"},
		"not authorised":        {says: "2003008700"},
		"a full quota":          {says: "2003009700"},
		"only an older version": {says: "20020001"},
		"a long answer":         {says: "20830100009f" + strings.Repeat("00", 0x83-3)},
		"not available":         {says: "2003008800", want: "tells MQTT clients that it is not available (CONNACK 0x88)"},
		"evacuating":            {says: "2003009c00", want: "tells MQTT clients to use another node (CONNACK 0x9C)"},
		"silence":               {says: "-", want: "takes connections and does not answer MQTT"},
		"closed":                {says: "", want: "closes the connections of MQTT clients unanswered"},
		"half an answer":        {says: "2003", want: "closes the connections of MQTT clients unanswered"},
		"something else":        {says: hex.EncodeToString([]byte("HTTP/1.1 400")), want: errNoMQTT.Error()},
		"refused":               {err: errors.New("refused"), want: "it could not be reached: refused"},
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
				err := mqttAnswers(ctx, func(context.Context) (net.Conn, error) { return ours, c.err }, "openecp-probe-x")
				_ = ours.Close()
				if c.want == "" {
					require.NoError(t, err)
					return
				}
				require.EqualError(t, err, c.want)
				require.Equal(t, c.err != nil, errors.Is(err, errMQTTUnreached))
			})
		})
	}
}

// TestMQTTConnectPacket is as the standard has it.
func TestMQTTConnectPacket(t *testing.T) {
	require.Equal(t, "100e"+"0004"+hex.EncodeToString([]byte("MQTT"))+"05"+"02"+"000a"+"00"+"0001"+"61", hex.EncodeToString(mqttConnectPacket("a")))
	long := mqttConnectPacket(string(make([]byte, 200)))
	require.Equal(t, []byte{mqttConnect, 0xD5, 0x01}, long[:3])
	require.Len(t, long, 3+0xD5)
}

// TestChangedListener: limits leave the question what it is; whatever else may
// change who is answered does not.
func TestChangedListener(t *testing.T) {
	for key, changed := range map[string]bool{
		"listeners.tcp.default.max_connections": false, "listeners.tcp.default.tcp_options.backlog": false, "listeners.ssl.default.enable": false,
		"mqtt.max_inflight": false, "listeners.tcp.defaults": false,
		"listeners.tcp.default.enable": true, "listeners.tcp.default.proxy_protocol": true, "listeners.tcp.default": true, "listeners": true,
		"listener.tcp.external": true, "listener.tcp.external.proxy_protocol": true, "listener.tcp.external.max_connections": false,
	} {
		require.Equal(t, changed, changedListener(map[string]string{key: "x"}) != "", key)
	}
}

// TestMuteNodesAreCounted once a second at most; one answer, or none to be had,
// clears it.
func TestMuteNodesAreCounted(t *testing.T) {
	var s mqttSeen
	for i, ms := range []int{0, 500, 1000, 2500} {
		s.take(mqttAnswer{mute: "a does not answer"}, t0.Add(time.Duration(ms)*time.Millisecond))
		require.Equal(t, []int{1, 1, 2, 3}[i], s.mute)
	}
	s.take(mqttAnswer{unseen: "no way"}, t0)
	require.Equal(t, mqttSeen{unasked: "no way"}, s)
	s.take(mqttAnswer{serves: true}, t0)
	require.Equal(t, mqttSeen{}, s)
}
