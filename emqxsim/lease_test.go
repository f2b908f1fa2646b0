package emqxsim_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// TestFencerSuite: two programs on one simulated platform, of which one writes
// at a time.
func TestFencerSuite(t *testing.T) {
	ecptest.TestFencer(t, ecptest.FencerSuite{
		New: func(t *testing.T) (ecp.Provisioner, ecp.Provisioner) {
			p := newProvisioner(t, emqxsim.ProvisionerConfig{BootTime: 40 * time.Millisecond})
			return p.Peer("first"), p.Peer("second")
		},
		Run:     synctest.Test,
		Suspend: func(_ *testing.T, p ecp.Provisioner, stopped bool) { p.(*emqxsim.Peer).Suspend(stopped) },
	})
}

// TestEpochSurvivesTheProgram: what was written under one lease is not taken
// for newer than what the next program writes, nor older.
func TestEpochSurvivesTheProgram(t *testing.T) {
	c := emqxsim.ProvisionerConfig{Dir: t.TempDir()}
	id := ecptest.NewID()
	var last int64
	for n := range 3 {
		synctest.Test(t, func(t *testing.T) {
			p := newProvisioner(t, c)
			stop := holding(t, p)
			defer stop()
			l := p.Lease()
			require.True(t, l.Held)
			require.Greater(t, l.Epoch, last)
			last = l.Epoch
			d := wanted(id, "5.8.9", n+1)
			d.Generation = int64(n + 1)
			require.NoError(t, p.Apply(t.Context(), d))
		})
	}
}

// holding runs Hold in a bubble until the function it gives is called.
func holding(t *testing.T, p ecp.Fencer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Hold(ctx, func() {}) }()
	synctest.Wait()
	return func() { cancel(); require.NoError(t, <-done) }
}
