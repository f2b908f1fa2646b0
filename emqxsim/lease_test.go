package emqxsim_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
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

// rememberer is a program that takes a claim for lost where it has once seen another one,
// whoever has owned the cluster since.
type rememberer struct {
	*emqxsim.Peer
	claims map[int]string
}

func (r rememberer) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	o, err := r.Peer.Observe(ctx, id)
	for _, v := range o.Volumes {
		if _, known := r.claims[v.Ordinal]; !known {
			r.claims[v.Ordinal] = v.UID
		}
	}
	return o, err
}

func (r rememberer) Apply(ctx context.Context, d ecp.Desired) error {
	o, err := r.Observe(ctx, d.ID)
	if err != nil {
		return err
	}
	for _, v := range o.Volumes {
		if r.claims[v.Ordinal] != v.UID {
			return &ecp.Error{Code: ecp.CodeConflict, Op: "apply", Message: "a claim is lost",
				Cause: &ecp.Loss{Reason: ecp.ReasonDataLost, What: "claim " + v.Name}}
		}
	}
	for i := range r.claims {
		if i >= d.Spec.Nodes { // its own doing
			delete(r.claims, i)
		}
	}
	return r.Peer.Apply(ctx, d)
}

// TestBrokenFencer fails, but only when TestFencerSuiteFinds runs it.
func TestBrokenFencer(t *testing.T) {
	if os.Getenv(flawed) == "" {
		t.Skip("it is run, and fails, in a process of its own")
	}
	ecptest.TestFencer(t, ecptest.FencerSuite{
		New: func(t *testing.T) (ecp.Provisioner, ecp.Provisioner) {
			p := newProvisioner(t, emqxsim.ProvisionerConfig{BootTime: 40 * time.Millisecond})
			return rememberer{p.Peer("first"), map[int]string{}}, rememberer{p.Peer("second"), map[int]string{}}
		},
		Run: synctest.Test,
	})
}

// TestFencerSuiteFinds: the suite finds one that remembers, in no other case than its own.
func TestFencerSuiteFinds(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestBrokenFencer$", "-test.timeout", "2m")
	cmd.Env = append(slices.Clone(os.Environ()), flawed+"=remembers")
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "no case found it:\n%s", out)
	require.Equal(t, 1, strings.Count(string(out), "--- FAIL: TestBrokenFencer/"), "%s", out)
	require.Contains(t, string(out), "--- FAIL: TestBrokenFencer/what_one_has_seen_in_an_earlier_epoch_does_not_count")
	require.Contains(t, string(out), "in epoch 3: apply: a claim is lost")
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
