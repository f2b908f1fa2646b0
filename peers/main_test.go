package peers

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets net/http close a connection on which it has refused headers: it waits for half
// a second with that, whatever becomes of the server.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}
