package agentproto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

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

// TestEndings checks what is told of a connection that ends without a goodbye.
func TestEndings(t *testing.T) {
	for _, c := range []struct {
		cause  error
		silent time.Duration
		want   string
	}{
		{io.EOF, 0, "gone without a goodbye"},
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), time.Minute, "nothing was heard of the server for 1m0s"},
		{fmt.Errorf("failed to get reader: %w", context.Canceled), time.Minute,
			"nothing was heard of the server for 1m0s"},
		{nil, time.Minute, "nothing was heard of the server for 1m0s"},
		{errors.New("reset by peer"), time.Minute, "the connection broke: reset by peer"},
		{nil, 0, "a fault in what the server sent"},
	} {
		conn := newCarrierConn(CarrierDirect, nil, nil, nil)
		conn.heard.Store(time.Now().Add(-c.silent).UnixNano())
		if c.cause != nil {
			conn.fail(c.cause)
		}
		clean, reason := conn.ending("server", 10*time.Second)
		require.False(t, clean)
		require.Contains(t, reason, c.want)
	}
}
