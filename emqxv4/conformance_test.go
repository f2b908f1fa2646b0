package emqxv4_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
)

// littlePatience is that of an adapter that meets many far sides which never end.
const littlePatience = 300 * time.Millisecond

// TestConformance holds the adapter to what package ecp promises on simulated
// clusters of versions that differ, and on those that are unwell in each way
// that the simulator knows.
func TestConformance(t *testing.T) {
	for _, c := range []struct {
		version string
		loaded  bool // a licence, instead of the one EMQX comes with
	}{{"4.4.6", false}, {"4.4.12", true}, {"4.4.19", false}, {"4.4.24", true}} {
		t.Run(fmt.Sprint(c.version, " loaded ", c.loaded), func(t *testing.T) {
			s := emqxtest.Conformance(c.version, c.loaded)
			s.Adapter, s.Impatient = emqxv4.New(emqxv4.Config{}), emqxv4.New(emqxv4.Config{Timeout: littlePatience})
			s.Frugal = emqxv4.New(emqxv4.Config{MostAnswer: emqxtest.LittleRead})
			s.Unsupported = slices.Clone(never)
			if c.version == "4.4.6" {
				s.Unsupported = append(s.Unsupported, "StartEvacuation", "EvacuationProgress", "StopEvacuation")
			}
			ecptest.TestAdapter(t, s)
		})
	}
}
