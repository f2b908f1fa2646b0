package logs_test

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

// Read returns the newest lines of all nodes by time. Reading begins with the loop; with
// Follow it goes on until the context ends.
func Example() {
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

	lines, err := m.Logs.Read(ctx, info.ID, ecp.LogQuery{Limit: 100})
	if err != nil {
		log.Fatal(err)
	}
	nodes := map[string]bool{}
	for line, err := range lines {
		if err != nil {
			log.Fatal(err)
		}
		nodes[line.Node] = true
	}
	fmt.Println("lines of", len(nodes), "nodes")

	cancel()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// lines of 3 nodes
}
