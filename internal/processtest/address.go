package processtest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// FreeAddress returns an address of this machine, 127.0.0.1 with a port, that nobody listens
// on. The port is below those that Linux gives away by itself, so that nobody else gets it
// while what is to listen there has not begun, or is away for a while. No two calls in a
// process return the same, nor, on Linux, do those of tests that run at once.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		free, ok := reserve(port)
		if !ok {
			continue
		}
		if !nobodyAt(t, address) {
			free() // where a reservation keeps everybody away, there is none
			if !nobodyAt(t, address) {
				continue
			}
		}
		if _, taken := given.LoadOrStore(address, true); !taken {
			t.Cleanup(free)
			return address
		}
		free()
	}
	t.Fatal("no port between 20000 and 30000 is free")
	return ""
}

var given sync.Map // the addresses that FreeAddress has returned

// nobodyAt reports whether an address can be listened on.
func nobodyAt(t testing.TB, address string) bool {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return true
}
