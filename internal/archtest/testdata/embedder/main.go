// Command embedder is a program outside the module, with a Store and a
// Provisioner of its own: it takes a cluster through its life.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
)

func main() {
	ctx, cancel := context.WithTimeout(ecp.WithActor(context.Background(), ecp.System), 30*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	m, err := fleet.New(ctx, fleet.Config{Store: newStore(), Provisioners: map[string]ecp.Provisioner{"default": &platform{made: map[ecp.ID]ecp.Desired{}}}})
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Run(working) }()
	info, op, err := m.Create(ctx, fleet.CreateRequest{Mode: ecp.Hosted, Name: "embedded", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 2, Connections: 10}}})
	if err != nil {
		return err
	}
	for _, next := range []ecp.Command{ecp.Stop{}, ecp.Start{}, ecp.Delete{}, nil} {
		op, err = m.WaitOperation(ctx, op.ID, 20*time.Second)
		if err != nil {
			return err
		}
		fmt.Println(op.Kind, op.Phase)
		if next == nil {
			break
		}
		if op, err = m.Cluster(info.ID).Do(ctx, next); err != nil {
			return err
		}
	}
	stop()
	return <-ended
}

// platform makes clusters that come up at once.
type platform struct {
	mu   sync.Mutex
	made map[ecp.ID]ecp.Desired // guarded by mu
}

func (p *platform) Apply(_ context.Context, d ecp.Desired) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made[d.ID] = d
	return nil
}

func (p *platform) Observe(_ context.Context, id ecp.ID) (ecp.Observation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, ok := p.made[id]
	if !ok {
		return ecp.Observation{Replicas: -1}, nil
	}
	o := ecp.Observation{Exists: true, Replicas: d.Replicas, Converged: true, Generation: d.Generation, Auth: "auth of " + string(id)}
	for i := range d.Replicas {
		o.Nodes = append(o.Nodes, ecp.NodeObservation{Ordinal: i, Name: fmt.Sprintf("emqx@node%d", i), Pod: fmt.Sprint("pod ", i), Ready: true})
	}
	return o, nil
}

func (p *platform) Delete(_ context.Context, id ecp.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.made, id)
	return nil
}
