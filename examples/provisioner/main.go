// Command provisioner is a program with a Provisioner of its own: it makes
// clusters of directories and servers on this host instead of Kubernetes.
//
//	go run ./examples/provisioner DIR
//
// It makes a cluster in DIR or finds the one it made before, waits until it
// runs, and says where its nodes answer. The nodes are simulated brokers; a
// program that starts real ones would differ in node.go only.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/sqlstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "provisioner: give the directory to keep the cluster in")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "provisioner:", err)
		os.Exit(1)
	}
}

// run brings the fleet of a directory up, shows it, and lets it go again.
func run(ctx context.Context, dir string, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ecp.WithActor(ctx, ecp.System), time.Minute)
	defer cancel()
	store, err := sqlstore.Open(ctx, sqlstore.Config{Dir: filepath.Join(dir, "store"), Kinds: fleet.Kinds()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	host, err := newHost(filepath.Join(dir, "clusters"))
	if err != nil {
		return err
	}
	m, err := fleet.New(ctx, fleet.Config{
		Store:        store,
		Provisioners: map[string]ecp.Provisioner{"default": host},
		Adapters:     []ecp.Adapter{emqxv5.New(emqxv5.Config{})},
	})
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Run(working) }()
	err = show(ctx, m, host, out)
	stop()
	return errors.Join(err, <-ended)
}

// show waits for the one cluster and prints its nodes.
func show(ctx context.Context, m *fleet.Manager, host *host, out io.Writer) error {
	cluster, err := theCluster(ctx, m)
	if err != nil {
		return err
	}
	if err := untilHealthy(ctx, cluster); err != nil {
		return err
	}
	info, err := cluster.Get(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, info.ID, "is", info.Status.State)
	for _, n := range info.Nodes {
		e, err := host.Endpoint(ctx, info.ID, n.Name)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, n.Name, "answers at", e.BaseURL)
	}
	return nil
}

// theCluster finds the cluster of an earlier run or makes one.
func theCluster(ctx context.Context, m *fleet.Manager) (ecp.Cluster, error) {
	page, err := m.Clusters(ctx, ecp.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(page.Items) > 0 {
		return m.Cluster(page.Items[0].ID), nil
	}
	info, _, err := m.Create(ctx, fleet.CreateRequest{
		Mode: ecp.Hosted, Name: "here", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: 100}},
	})
	if err != nil {
		return nil, err
	}
	return m.Cluster(info.ID), nil
}

// untilHealthy waits until this run has seen the cluster well. What is stored
// may be of an earlier run, and a look that finds nothing new is no change on
// the stream: so it asks now and then.
func untilHealthy(ctx context.Context, c ecp.Cluster) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		info, err := c.Get(ctx)
		if err != nil {
			return err
		}
		healthy := ecp.ConditionOf(info.Status.Conditions, ecp.CondHealthy).Status == ecp.True
		if healthy && !info.LookedAt.IsZero() && info.ReadyNodes == info.Spec.Hosted.Nodes {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the cluster is %s: %s: %w", info.Status.State, info.Status.Message, ctx.Err())
		}
	}
}
