package emqxv4_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
)

// littlePatience is that of an adapter that meets many far sides which never end.
const littlePatience = 300 * time.Millisecond

// TestConformance holds the adapter to what package ecp promises on simulated
// clusters of versions that differ, and on those that are unwell in each way
// that the simulator knows.
func TestConformance(t *testing.T) {
	for _, c := range []struct {
		version string
		loaded  bool // a license, instead of the one EMQX comes with
	}{{"4.4.6", false}, {"4.4.12", true}, {"4.4.19", false}, {"4.4.24", true}} {
		t.Run(fmt.Sprint(c.version, " loaded ", c.loaded), func(t *testing.T) {
			ecptest.TestAdapter(t, suite(c.version, emqxsim.Enterprise, c.loaded))
		})
	}
}
