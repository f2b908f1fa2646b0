package agents_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
)

// An agent joins an adopted cluster with a token that somebody with rights over the
// cluster has made. From then on its key is what it is known by.
func ExampleRegistry() {
	ctx := ecp.WithActor(context.Background(), ecp.System)
	m, err := fleet.New(ctx, fleet.Config{Store: memstore.New(), AgentAddress: "ecp.example.com:18080"})
	if err != nil {
		log.Fatal(err)
	}
	info, _, err := m.Create(ctx, fleet.CreateRequest{
		Mode: ecp.Adopted, Name: "plant", Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, secret, err := m.Agents.CreateRegistration(ctx, info.ID, time.Hour)
	if err != nil {
		log.Fatal(err)
	}

	// What the agent's program does on its host, through whatever carries its request.
	key, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = m.Agents.Register(context.Background(), ecp.AgentRegistration{
		Token: secret, PublicKey: key, Hostname: "host-1", Node: "emqx@10.0.0.1",
	})
	if err != nil {
		log.Fatal(err)
	}

	all, err := m.Agents.List(ctx, info.ID)
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range all {
		fmt.Println(a.Hostname, a.Node, a.Seen.Connected)
	}
	// Output:
	// host-1 emqx@10.0.0.1 false
}
