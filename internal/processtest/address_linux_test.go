package processtest

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFreeAddress: nobody else is given the address, and whoever has it listens there, again
// and again.
func TestFreeAddress(t *testing.T) {
	var address string
	t.Run("that has it", func(t *testing.T) {
		address = FreeAddress(t)
		at := netip.MustParseAddrPort(address)
		for range 3 {
			_, ok := reserve(int(at.Port()))
			require.False(t, ok, "while nobody listens")
			_, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
			require.Error(t, err)
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
			require.NoError(t, err)
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
			require.NoError(t, err)
			require.NoError(t, c.Close())
			_, ok = reserve(int(at.Port()))
			require.False(t, ok, "while somebody listens")
			require.NoError(t, l.Close())
		}
	})
	free, ok := reserve(int(netip.MustParseAddrPort(address).Port()))
	require.True(t, ok, "the test is over")
	free()
}
