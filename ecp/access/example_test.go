package access_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
)

// A program asks a broker itself, by the way that a Gateway returns. A call that may change
// something is in the audit before the way is known.
func ExampleGateway() {
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
		Mode: ecp.Hosted, Name: "plant", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 1000}},
	})
	if err == nil {
		_, err = m.WaitOperation(ctx, op.ID, time.Minute)
	}
	if err != nil {
		log.Fatal(err)
	}

	way, err := m.Access.EndpointForCall(ctx, info.ID, access.BrokerCall{
		Method: http.MethodDelete, Path: "/api/v5/clients/thermometer",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("credentials of the broker's administrator:", way.Credentials.Username != "")
	open, err := m.Access.OpenDashboard(ctx, info.ID, "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the dashboard is reached by the", open.Via)

	cancel()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// credentials of the broker's administrator: true
	// the dashboard is reached by the target
}
