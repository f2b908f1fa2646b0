// Command embed is a program with OpenECP inside. It keeps its fleet in memory
// and on simulated clusters, so that it runs anywhere; put sqlstore.Open and
// k8sprovisioner.New in their places, and it runs a real one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// run puts a Manager together and lets it run while the fleet is used.
func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	platform, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
	if err != nil {
		return err
	}
	m, err := fleet.New(ctx, fleet.Config{
		Store:        memstore.New(),
		Provisioners: map[string]ecp.Provisioner{"default": platform},
		Adapters:     []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		// No load balancer stands before simulated nodes that would have to notice anything.
		Timings: ecp.Timings{Notice: time.Second, Takeover: time.Second},
	})
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Run(working) }()
	err = useFleet(ctx, m, out)
	if err == nil {
		err = growFleet(ctx, m, out)
	}
	stop()
	return errors.Join(err, <-ended)
}

// README.md shows what is between the marks.

// snippet begins

// useFleet creates a cluster, waits until it runs, shows its nodes and deletes it.
func useFleet(ctx context.Context, m *fleet.Manager, out io.Writer) error {
	ctx = ecp.WithActor(ctx, ecp.System) // this program decides by itself who may do what
	info, _, err := m.Create(ctx, fleet.CreateRequest{
		Mode: ecp.Hosted,
		Name: "sensors",
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: 1000}},
	})
	if err != nil {
		return err
	}
	cluster := m.Cluster(info.ID)
	for change, err := range cluster.Watch(ctx) {
		if err != nil {
			return err
		}
		if rec, ok := change.Payload.(ecp.ClusterRecord); ok {
			fmt.Fprintln(out, rec.Name, "is", rec.Status.State)
			if holds(rec, ecp.CondSettled) && holds(rec, ecp.CondHealthy) {
				break
			}
		}
	}
	if info, err = cluster.Get(ctx); err != nil {
		return err
	}
	for _, node := range info.Nodes {
		fmt.Fprintln(out, node.Name, "runs EMQX", node.Version)
	}
	deletion, err := cluster.Do(ctx, ecp.Delete{})
	if err != nil {
		return err
	}
	deletion, err = m.WaitOperation(ctx, deletion.ID, time.Minute)
	fmt.Fprintln(out, "deletion", deletion.Phase)
	return err
}

// holds reports whether a condition is true. States are for people; programs wait
// on conditions.
func holds(rec ecp.ClusterRecord, t ecp.ConditionType) bool {
	return ecp.ConditionOf(rec.Status.Conditions, t).Status == ecp.True
}

// snippet ends

// growFleet makes a cluster larger and then newer, and prints each step as it goes.
func growFleet(ctx context.Context, m *fleet.Manager, out io.Writer) error {
	ctx = ecp.WithActor(ctx, ecp.System)
	before := ecp.Image{ID: "before", Reference: "emqx/emqx-enterprise:5.8.8", Version: "5.8.8"}
	if _, err := m.Catalog.Images.Create(ctx, before, ""); err != nil {
		return err
	}
	info, creation, err := m.Create(ctx, fleet.CreateRequest{
		Mode: ecp.Hosted,
		Name: "meters",
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Image: before.ID, Nodes: 2, Connections: 1000}},
	})
	if err != nil {
		return err
	}
	if err := follow(ctx, m, creation, out); err != nil {
		return err
	}
	cluster := m.Cluster(info.ID)
	for _, patch := range []string{`{"nodes":3}`, `{"image":"emqx-ee-5.8.9"}`} {
		change := ecp.Update{Patch: json.RawMessage(patch)}
		plan, err := cluster.Plan(ctx, change)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s adds nodes %v and replaces %v\n", patch, plan.Nodes.Added, plan.Nodes.Replaced)
		// Where the plan is another by now, the change is refused.
		operation, err := cluster.Do(ecp.WithPlan(ctx, plan.Hash), change)
		if err != nil {
			return err
		}
		if err := follow(ctx, m, operation, out); err != nil {
			return err
		}
	}
	return nil
}

// follow prints the steps of an operation until it has ended.
func follow(ctx context.Context, m *fleet.Manager, o ecp.Operation, out io.Writer) (err error) {
	for last := ""; !o.Phase.Final(); {
		if o, err = m.WaitOperation(ctx, o.ID, 100*time.Millisecond); err != nil {
			return err
		}
		steps := ""
		for _, s := range o.Steps {
			steps += fmt.Sprintf(" %s %d/%d", s.Name, s.Done, s.Total)
		}
		if steps != last {
			fmt.Fprintf(out, "%s:%s\n", o.Kind, steps)
			last = steps
		}
	}
	if o.Phase != ecp.PhaseSucceeded {
		return fmt.Errorf("%s of %s %s: %s", o.Kind, o.Cluster, o.Phase, o.Error)
	}
	return nil
}
