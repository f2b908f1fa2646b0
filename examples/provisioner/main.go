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
	store, err := sqlstore.Open(ctx, sqlstore.Config{Dir: filepath.Join(dir, "store")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	host, err := newHost(filepath.Join(dir, "clusters"))
	if err != nil {
		return err
	}
	m, err := ecp.New(ctx, ecp.Config{
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
func show(ctx context.Context, m *ecp.Manager, host *host, out io.Writer) error {
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
func theCluster(ctx context.Context, m *ecp.Manager) (ecp.Cluster, error) {
	page, err := m.Clusters(ctx, ecp.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(page.Items) > 0 {
		return m.Cluster(page.Items[0].ID), nil
	}
	info, _, err := m.Create(ctx, ecp.CreateRequest{
		Mode: ecp.Hosted, Name: "here", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: 100}},
	})
	if err != nil {
		return nil, err
	}
	return m.Cluster(info.ID), nil
}

// untilHealthy waits until a look of this run has found the cluster well: what
// the store says may be of an earlier run, whose nodes are gone.
func untilHealthy(ctx context.Context, c ecp.Cluster) error {
	for change, err := range c.Watch(ctx) {
		if err != nil {
			return err
		}
		rec, ok := change.Payload.(ecp.ClusterRecord)
		if !ok {
			continue
		}
		info, err := c.Get(ctx)
		if err != nil {
			return err
		}
		healthy := ecp.ConditionOf(rec.Status.Conditions, ecp.CondHealthy).Status == ecp.True
		if healthy && info.ReadyNodes == rec.Spec.Hosted.Nodes {
			return nil
		}
	}
	return errors.New("the cluster has gone")
}
