//go:build !linux

package processtest

// reserve keeps no port.
func reserve(int) (free func(), ok bool) { return func() {}, true }
