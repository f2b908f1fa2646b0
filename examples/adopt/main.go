// Command adopt adopts an EMQX cluster which it did not make: a Manager, the hub that agents dial,
// and, in the same process for once, an agent beside a simulated EMQX. With emqxee-agent on a
// broker's host in the place of the last, the cluster is a real one.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "adopt:", err)
		os.Exit(1)
	}
}

// run adopts a cluster, and prints its state until the agent's reports have made it running.
func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ecp.WithActor(ctx, ecp.System))
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel(nil)
	work := func(fn func() error) { group.Go(func() { cancel(fn()) }) } // the first that ends ends all

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	name := listener.Addr().String()

	// The hub is the Manager's way to adopted clusters, and what agents dial: over TLS, for which
	// there is hub.Server().ConfigureTLS, unless they are on the same host.
	hub, err := adopt.NewHub(adopt.Config{Name: name})
	if err != nil {
		return err
	}
	adapters := []ecp.Adapter{emqxv5.New(emqxv5.Config{})}
	manager, err := fleet.New(ctx,
		fleet.Config{Store: memstore.New(), Link: hub, AgentAddress: "http://" + name, Adapters: adapters})
	if err != nil {
		return err
	}
	hub.Bind(manager)
	server := &http.Server{Handler: hub.Server(), ReadHeaderTimeout: 10 * time.Second}
	defer func() { _ = server.Close() }()
	work(func() error { return server.Serve(listener) })
	work(func() error { return hub.Run(ctx) })
	work(func() error { return manager.Run(ctx) })

	// A token lets agents register with the cluster; each makes a key of its own.
	info, _, err := manager.Create(ctx, fleet.CreateRequest{Mode: ecp.Adopted, Name: "their meters"})
	if err != nil {
		return err
	}
	_, token, err := manager.Agents.CreateRegistration(ctx, info.ID, time.Hour)
	if err != nil {
		return err
	}
	node := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.8.9"}).Join("emqx@127.0.0.1")
	work(func() error { return runAgent(ctx, "http://"+name, token, node.Endpoint()) })

	return printStates(ctx, manager.Cluster(info.ID), out)
}
