package monitor_test

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

// An overview sums up the fleet without asking anybody; traffic is what the broker of one
// cluster answers at that moment.
func ExampleMonitor() {
	platform, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 10 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ecp.WithActor(context.Background(), ecp.System))
	m, err := fleet.New(ctx, fleet.Config{
		Store: memstore.New(), Provisioners: map[string]ecp.Provisioner{"default": platform},
		Adapters: []ecp.Adapter{emqxv5.New(emqxv5.Config{})},
	})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	info, op, err := m.Create(ctx, fleet.CreateRequest{
		Mode: ecp.Hosted, Name: "plant", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: 1000}},
	})
	if err == nil {
		_, err = m.WaitOperation(ctx, op.ID, time.Minute)
	}
	if err != nil {
		log.Fatal(err)
	}

	sum, err := m.Monitor.Overview(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Clusters, "cluster,", sum.Nodes.Running, "of", sum.Nodes.Total, "nodes run")
	now, err := m.Monitor.Traffic(ctx, info.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(now.Nodes), "nodes answer,", now.Sessions, "sessions")

	cancel()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 cluster, 3 of 3 nodes run
	// 3 nodes answer, 0 sessions
}
