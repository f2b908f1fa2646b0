package emqxv4_test

import (
	"fmt"
	"os"
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
		long    bool // in test-long only: it answers as others do, see TestEveryMethodOnEveryVersion
	}{{"4.4.6", false, false}, {"4.4.12", true, true}, {"4.4.19", false, false}, {"4.4.24", true, false}} {
		t.Run(fmt.Sprint(c.version, " loaded ", c.loaded), func(t *testing.T) {
			if c.long && os.Getenv("OPENECP_LONG") == "" {
				t.Skip("takes half a minute of a processor; run with OPENECP_LONG=1")
			}
			ecptest.TestAdapter(t, suite(c.version, emqxsim.Enterprise, c.loaded))
		})
	}
}
