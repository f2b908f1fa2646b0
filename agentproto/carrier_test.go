package agentproto

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNothingFollowsAGoodbye closes a connection while HTTP/2 writes to it.
func TestNothingFollowsAGoodbye(t *testing.T) {
	for range 200 {
		here, there := net.Pipe()
		c := newCarrierConn(CarrierDirect, here, here.Close, here.Close)
		c.multiplexed.Store(true)
		c.sayGoodbye()
		began, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			close(began)
			for {
				if _, err := c.Write([]byte("a frame")); err != nil {
					return
				}
			}
		}()
		read := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(there)
			read <- b
		}()
		<-began
		require.NoError(t, c.Close())
		<-ended
		got := string(<-read)
		require.Equal(t, goodbyeFrame, got[max(0, len(got)-len(goodbyeFrame)):])
		require.NoError(t, there.Close())
	}
}
