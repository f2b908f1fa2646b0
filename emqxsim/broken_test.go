package emqxsim_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// broken is a Provisioner that breaks one promise on changes.
type broken struct {
	*emqxsim.Provisioner
	flaw
}

// flaw is how: what it makes of what it is told, does behind our back, and says.
type flaw struct {
	found  string // name of the case that has to find it
	told   func(d *ecp.Desired)
	does   func(p *emqxsim.Provisioner, d ecp.Desired) // after each Apply that succeeded
	before func(p *emqxsim.Provisioner, d ecp.Desired) // each Apply
	says   func(o *ecp.Observation)
	takes  ecp.NodeRole // whose nodes are said to be taken, unasked
}

func (b broken) Apply(ctx context.Context, d ecp.Desired) error {
	if b.before != nil {
		b.before(b.Provisioner, d)
	}
	if b.told != nil {
		b.told(&d)
	}
	if err := b.Provisioner.Apply(ctx, d); err != nil {
		return err
	}
	if b.does != nil {
		b.does(b.Provisioner, d)
	}
	return nil
}

func (b broken) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	o, err := b.Provisioner.Observe(ctx, id)
	if err == nil && b.says != nil {
		b.says(&o)
	}
	return o, err
}

func (b broken) Rehearse(ctx context.Context, id ecp.ID, role ecp.NodeRole, ordinal int) error {
	if role == b.takes {
		return nil
	}
	return b.Provisioner.Rehearse(ctx, id, role, ordinal)
}

func outdate(o *ecp.Observation, is func(ecp.NodeObservation) bool) {
	for i, n := range o.Nodes {
		o.Nodes[i].Outdated = is(n)
	}
}

// dropAll deletes claims, whoever uses or needs them.
func dropAll(p *emqxsim.Provisioner, d ecp.Desired) {
	for _, i := range d.Drop {
		_ = p.DeleteClaim(d.ID, i) // there may be none
	}
}

var flaws = map[string]flaw{
	"outdated is never told": {found: "pods are replaced only when asked", says: func(o *ecp.Observation) {
		outdate(o, func(ecp.NodeObservation) bool { return false })
	}},
	"outdated is told of all": {found: "pods are replaced only when asked", says: func(o *ecp.Observation) {
		all := slices.ContainsFunc(o.Nodes, func(n ecp.NodeObservation) bool { return n.Outdated })
		outdate(o, func(ecp.NodeObservation) bool { return all })
	}},
	"outdated is told too early": {found: "what is around pods outdates none", says: func(o *ecp.Observation) {
		outdate(o, func(n ecp.NodeObservation) bool { return !o.Converged })
	}},
	"a restart is nothing": {found: "a restart is a change of all pods", told: func(d *ecp.Desired) { d.Restarts = 0 }},
	"a network is outdated": {found: "what is around pods outdates none",
		told: func(d *ecp.Desired) { d.Restarts = len(d.Spec.Network.Type) }},
	"nothing is dropped": {found: "claims stay until they are dropped", told: func(d *ecp.Desired) { d.Drop = nil }},
	"claims go with nodes": {found: "claims stay until they are dropped", does: func(p *emqxsim.Provisioner,
		d ecp.Desired) {
		d.Drop = []int{d.Spec.Nodes}
		dropAll(p, d)
	}},
	"evictions are only said to be held": {found: "nobody evicts nodes while that is held",
		told: func(d *ecp.Desired) { d.HoldEvictions = false },
		says: func(o *ecp.Observation) { o.EvictionsHeld = true }},
	"a volume goes although it is not lost": {found: "a lost volume is given up when that is asked for",
		does: func(p *emqxsim.Provisioner, d ecp.Desired) {
			for _, i := range d.Roll {
				_ = p.DeleteClaim(d.ID, i)
			}
		}},
	"no volume is given up": {found: "a lost volume is given up when that is asked for",
		told: func(d *ecp.Desired) { d.Abandon = nil }},
	"core nodes are not tried": {found: "what refuses nodes is named", takes: ecp.RoleCore},
	"replicants are not tried": {found: "replicants come and go beside core nodes", takes: ecp.RoleReplicant},
	"all is dropped":           {found: "claims that are meant to be there stay", does: dropAll},
	"what is used goes":        {found: "a claim in use stays", does: dropAll},
	"what was there is missed": {found: "claims stay until they are dropped", before: func(p *emqxsim.Provisioner,
		d ecp.Desired) {
		if d.Spec.Nodes == 3 && d.Generation > 3 { // the claim was dropped: lose it again
			more := d
			more.Drop = nil
			_ = p.Apply(context.Background(), more)
			_ = p.DeleteClaim(d.ID, 2)
		}
	}},
}

// flawed names an environment variable: the flaw of TestBrokenProvisioner.
const flawed = "EMQXSIM_FLAW"

// TestBrokenProvisioner fails, but only when TestProvisionerSuiteFinds runs it.
func TestBrokenProvisioner(t *testing.T) {
	name, ok := os.LookupEnv(flawed)
	if !ok {
		t.Skip("it is run, and fails, in processes of its own")
	}
	s := suite(nil)
	s.New = func(t *testing.T) ecp.Provisioner {
		return broken{newProvisioner(t, emqxsim.ProvisionerConfig{BootTime: 40 * time.Millisecond}), flaws[name]}
	}
	s.Ready, s.Writes = time.Second, nil
	ecptest.TestProvisioner(t, s)
}

// TestProvisionerSuiteFinds: the suite finds each way to break a promise on
// changes.
func TestProvisionerSuiteFinds(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a process for each promise that can be broken")
	}
	turns := make(chan struct{}, 2)
	for name, f := range flaws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			found := strings.ReplaceAll(f.found, " ", "_")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run",
				"^TestBrokenProvisioner$/5.8.9/together/^"+found+
					"$", "-test.timeout", "2m")
			cmd.Env = append(slices.Clone(os.Environ()), flawed+"="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "no case found it:\n%s", out)
			require.Contains(t, string(out), "--- FAIL: TestBrokenProvisioner/5.8.9/together/"+found)
			require.NotContains(t, string(out), "panic:")
		})
	}
}
