package fleet_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
)

// A Manager creates a cluster of three nodes on a simulated platform, and the
// caller waits until EMQX itself says that all of them are there.
func ExampleManager() {
	platform, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 10 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m, err := fleet.New(ctx, fleet.Config{
		Store:        memstore.New(),
		Provisioners: map[string]ecp.Provisioner{"default": platform},
		Adapters:     []ecp.Adapter{emqxv5.New(emqxv5.Config{})},
	})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()

	// Every call says who makes it. System may do everything.
	as := ecp.WithActor(ctx, ecp.System)
	info, op, err := m.Create(as, fleet.CreateRequest{
		Mode: ecp.Hosted, Name: "my first cluster",
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: 1000}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Status.State)
	op, err = m.WaitOperation(as, op.ID, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(op.Kind, op.Phase)
	info, err = m.Cluster(info.ID).Get(as)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Status.State, info.ReadyNodes, "nodes of EMQX", info.Version)

	cancel() // Run ends, and with it everything it started
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// creating
	// create succeeded
	// running 3 nodes of EMQX 5.8.9
}

// Watch tells of every state of a cluster, from the one it is in on.
func ExampleCluster_watch() {
	platform, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 10 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ecp.WithActor(context.Background(), ecp.System))
	m, err := fleet.New(ctx, fleet.Config{
		Store:        memstore.New(),
		Provisioners: map[string]ecp.Provisioner{"default": platform},
		Adapters:     []ecp.Adapter{emqxv5.New(emqxv5.Config{})},
	})
	if err != nil {
		log.Fatal(err)
	}
	info, _, err := m.Create(ctx, fleet.CreateRequest{
		Mode: ecp.Hosted,
		Name: "short-lived",
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 10}},
	})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	state := ecp.State("")
	for change, err := range m.Cluster(info.ID).Watch(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if change.Kind != ecp.KindCluster || change.Index.State == string(state) {
			continue
		}
		state = ecp.State(change.Index.State)
		fmt.Println(ecp.HostedStates.Label(state).EN)
		if state == ecp.Creating {
			go func() { ended <- m.Run(ctx) }()
		}
		if state == ecp.Running {
			if _, err := m.Cluster(info.ID).Do(ctx, ecp.Delete{}); err != nil {
				log.Fatal(err)
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// Creating
	// Running
	// Stopping
	// Stopped
	// Deleted
}

// An error says what went wrong in a word for programs, and field by field for
// people.
func ExampleError() {
	ctx := ecp.WithActor(context.Background(), ecp.System)
	m, err := fleet.New(ctx, fleet.Config{Store: memstore.New()})
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = m.Create(ctx, fleet.CreateRequest{Mode: ecp.Adopted, Name: ""})
	fmt.Println(ecp.CodeOf(err))
	fmt.Println(ecp.MessageOf(err))
	// Output:
	// invalid
	// create cluster: the request is not valid: name: is missing; give 1 to 200 characters
}
