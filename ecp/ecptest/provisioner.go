package ecptest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// ProvisionerSuite says how a Provisioner is tested. Only New is required.
//
// The hooks do to the platform what people and accidents do. They are given
// the Provisioner of the case and the cluster; they fail the test if they
// cannot do it. A case whose hook is nil is skipped by name.
type ProvisionerSuite struct {
	// New makes a Provisioner that works until the test's cleanups run. It is
	// called for every case; the platform beneath may be shared.
	New func(t *testing.T) ecp.Provisioner
	// Runs starts what the Provisioner needs beside its Watch, which the suite
	// runs itself; nil = nothing. It ends with the test's cleanups.
	Runs func(t *testing.T, p ecp.Provisioner)
	// Ready is how long anything may take to come up, to go or to be seen; 0 =
	// 30 s. It bounds failures only: nothing waits longer than it has to.
	Ready time.Duration
	// Images are what clusters are made of, each case once with each; nil = the
	// first 4.4 and the first 5.x of the default catalogue.
	Images []ecp.Image
	Size   ecp.Size // what nodes get; zero = the default size
	Nodes  int      // of the clusters that need several; 0 = 3, at least 2
	// Adapters ask brokers through Endpoint; nil = that case is skipped.
	Adapters []ecp.Adapter
	// Parallel runs the cases at once, but for those that cut the platform off.
	Parallel bool

	// DeletePod deletes a node's pod, or what is one.
	DeletePod func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int)
	// KillNode ends EMQX in a pod. It may come back by itself.
	KillNode func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int)
	// ScaleByHand changes how many nodes the platform is asked for.
	ScaleByHand func(t *testing.T, p ecp.Provisioner, id ecp.ID, n int)
	// ChangeTemplate changes what pods are made from past the Provisioner, in a
	// place that it does not write, as "kubectl rollout restart" does.
	ChangeTemplate func(t *testing.T, p ecp.Provisioner, id ecp.ID)
	// DeleteClaim asks for the end of a node's volume claim.
	DeleteClaim func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int)
	// RemoveMachine removes the machine under a node for good, with the disk that the
	// node's volume is on.
	RemoveMachine func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int)
	// DeleteAuth deletes the Secret with the cluster's keys.
	DeleteAuth func(t *testing.T, p ecp.Provisioner, id ecp.ID)
	// DeleteNamespace asks for the end of everything the cluster has.
	DeleteNamespace func(t *testing.T, p ecp.Provisioner, id ecp.ID)
	// DeleteService deletes the Service that MQTT clients come in through.
	DeleteService func(t *testing.T, p ecp.Provisioner, id ecp.ID)
	// MakeForeign puts something of somebody else's under the cluster's name.
	MakeForeign func(t *testing.T, p ecp.Provisioner, id ecp.ID)
	// SetUnreachable cuts the platform off, and gives it back. The case undoes
	// what it did.
	SetUnreachable func(t *testing.T, p ecp.Provisioner, unreachable bool)
	// RefusePods lets the platform take no pods of a cluster from now on but those
	// that it has, or take them again, and returns a word that its refusals hold.
	RefusePods func(t *testing.T, p ecp.Provisioner, id ecp.ID, refuse bool) string
	// Evict asks the platform to evict a node's pod, as "kubectl drain" does. The error is
	// that of a platform which refuses it.
	Evict func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int) error
	// Refused makes a Desired one that the platform takes, before a cluster is
	// made of it, and when it is made one of which it will never take an object
	// that nodes do not depend on.
	Refused func(d *ecp.Desired, made bool)
	// LargerVolume is a size, as a quantity, that volumes of Size can grow to on
	// this platform; "" = they cannot.
	LargerVolume string
	// Writes counts what was written to the platform so far.
	Writes func(p ecp.Provisioner) int
}

// TestProvisioner holds a Provisioner to every sentence on [ecp.Provisioner],
// on [ecp.Desired] and on its optional interfaces. It removes the clusters it
// makes. Of clusters that are changed it demands:
//
//   - Outdated is said of every node that is not of the newest revision, after
//     a change of what pods are made from and after one of Restarts, and at no
//     time of a node after anything else.
//   - It is said of every node when somebody else has changed what pods are made
//     from, which replaces none, and which no Apply undoes.
//   - Nodes are replaced one by one as Roll names them, and keep their claims.
//   - With fewer replicas every claim stays until Drop names it; it goes then,
//     unless a node uses it or is meant to have it.
//   - What was dropped, or got lost while no node was meant to have it, is not
//     called lost afterwards: a node that is wanted again gets a new claim.
//   - A volume that is lost is told as such, and given up only as Abandon names its claim;
//     that of a node which is well stays, named or not.
//   - A Rehearser says of every node that it would be taken in place of the one
//     that is there, and changes nothing; what would be refused is said as a
//     conflict before, and as an obstacle after a node has gone.
//   - A Checker says of a change what Apply would refuse for good, with the field,
//     and changes nothing; where the platform is away it refuses nothing.
//   - A ReplicantMaker makes replicants, sends clients to them, and scales, replaces and
//     removes them; core nodes and their claims stay as they are meanwhile.
//   - While evictions are held nobody evicts a node; that is told, and makes none outdated.
//   - Volumes grow to the size that is wanted, those of later nodes too, and none
//     becomes smaller.
func TestProvisioner(t *testing.T, s ProvisionerSuite) {
	s = s.withDefaults()
	for _, image := range s.Images {
		t.Run(image.Version, func(t *testing.T) {
			t.Run("together", func(t *testing.T) {
				for _, c := range provisionerCases {
					if !c.alone {
						t.Run(c.name, func(t *testing.T) { c.run(t, s, image) })
					}
				}
			})
			for _, c := range provisionerCases {
				if c.alone {
					t.Run(c.name, func(t *testing.T) { c.run(t, s, image) })
				}
			}
		})
	}
}

func (s ProvisionerSuite) withDefaults() ProvisionerSuite {
	if s.Ready == 0 {
		s.Ready = 30 * time.Second
	}
	if s.Images == nil {
		for _, major := range []int{4, 5} {
			s.Images = append(s.Images, firstImage(major))
		}
	}
	if s.Size.Name == "" {
		s.Size = ecp.DefaultSizes()[0]
	}
	if s.Nodes < 2 {
		s.Nodes = 3
	}
	return s
}

func firstImage(major int) ecp.Image {
	for _, i := range ecp.DefaultImages() {
		if v, ok := ecp.ParseVersion(i.Version); ok && v.Major == major {
			return i
		}
	}
	panic("ecptest: the default catalogue has no image of this major version")
}

// provisionerCases are all promises.
var provisionerCases = slices.Concat(lifeCases, changeCases, olderCases, lossCases, accessCases, logCases, refusalCases,
	checkCases, replicantCases, evictionCases)

// provisionerCase is one promise.
type provisionerCase struct {
	name  string
	hook  string // name of the hook it needs; "" = none
	given func(s ProvisionerSuite) bool
	alone bool // it disturbs what shares the platform
	test  func(b *bench)
}

func (c provisionerCase) run(t *testing.T, s ProvisionerSuite, image ecp.Image) {
	if c.given != nil && !c.given(s) {
		t.Skipf("ProvisionerSuite.%s is nil", c.hook)
	}
	if s.Parallel && !c.alone {
		t.Parallel()
	}
	c.test(newBench(t, s, image))
}

// bench is one case at work: a Provisioner whose Watch runs, and a cluster of
// its own.
type bench struct {
	*testing.T
	suite ProvisionerSuite
	p     ecp.Provisioner
	image ecp.Image
	id    ecp.ID
	wakes *wakes // nil where it is no Watcher
}

func newBench(t *testing.T, s ProvisionerSuite, image ecp.Image) *bench {
	b := &bench{T: t, suite: s, p: s.New(t), image: image, id: NewID()}
	b.runWatch()
	if s.Runs != nil {
		s.Runs(t, b.p)
	}
	b.removeAfter(b.id)
	return b
}

// runWatch runs the Provisioner's Watch until the test's cleanups.
func (b *bench) runWatch() {
	w, ok := b.p.(ecp.Watcher)
	if !ok {
		return
	}
	b.wakes = newWakes()
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Watch(ctx, b.wakes.wake) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil && ecp.CodeOf(err) != ecp.CodeInternal {
			b.Errorf("Watch ended with %v", err)
		}
	})
}

// removeAfter takes a cluster away in the test's cleanups.
func (b *bench) removeAfter(id ecp.ID) {
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.Context()), b.suite.Ready)
		defer cancel()
		_ = b.p.Delete(ctx, id) // somebody else's stays; what is left is the platform's to remove
	})
}

// desired is a cluster that is to be made.
func (b *bench) desired(nodes int) ecp.Desired {
	return ecp.Desired{
		ID: b.id, Project: "default/default", Name: "suite", Generation: 1,
		Spec: ecp.HostedSpec{
			Image: b.image.ID, Nodes: nodes, Size: b.suite.Size.Name, Connections: 100, Power: ecp.PowerOn,
			Network: ecp.Network{
				Type:      ecp.ClusterIP,
				Listeners: []ecp.Listener{{Protocol: ecp.MQTT, Port: 1883}, {Protocol: ecp.WS, Port: 8083}},
			},
		},
		Image: b.image, Size: b.suite.Size, Replicas: nodes, Create: true,
	}
}
