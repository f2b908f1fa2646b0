package ecptest

import (
	"context"
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// accessCases: the optional interfaces.
var accessCases = []provisionerCase{
	{name: "Watch wakes", test: watchWakes},
	{name: "Endpoint leads to every node", test: endpoints},
	{
		name:  "brokers answer with the credentials given",
		hook:  "Adapters",
		given: func(s ProvisionerSuite) bool { return len(s.Adapters) > 0 },
		test:  brokersAnswer,
	},
}

// watchWakes: each way of a cluster, from nothing to running to gone, is seen
// without looking again unasked.
func watchWakes(b *bench) {
	if b.wakes == nil {
		b.Skip("it is no ecp.Watcher")
	}
	b.apply(b.desired(1))
	b.wokenUntil("running", running(1))
	if err := b.p.Delete(b.Context(), b.id); err != nil {
		b.Fatalf("Delete: %v", err)
	}
	b.wokenUntil("gone", gone)
}

// wokenUntil looks only when woken: once at first, for what came before.
func (b *bench) wokenUntil(what string, missing func(o ecp.Observation) string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), b.suite.Ready)
	defer cancel()
	seen := -1
	for {
		count, next := b.wakes.of(b.id)
		why := "it was not woken"
		if count != seen {
			seen = count
			o, err := b.p.Observe(ctx, b.id)
			if why = missing(o); err == nil && why == "" {
				return
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			b.Fatalf("no wake came when the cluster was %s: %s (woken %d times)", what, why, seen)
		}
	}
}

// wokenAgain waits until the cluster was woken more often than before.
func (b *bench) wokenAgain(when string, before int) {
	b.Helper()
	if b.wakes != nil && !b.wokenBy(before) {
		b.Fatalf("after %v no wake came %s", b.suite.Ready, when)
	}
}

// wokenBy waits until the cluster was woken more often than before, and
// reports whether that came within the suite's patience.
func (b *bench) wokenBy(before int) bool {
	ctx, cancel := context.WithTimeout(b.Context(), b.suite.Ready)
	defer cancel()
	for {
		now, next := b.wakes.of(b.id)
		if now != before {
			return true
		}
		select {
		case <-next:
		case <-ctx.Done():
			return false
		}
	}
}

func endpoints(b *bench) {
	a, ok := b.p.(ecp.Accessor)
	if !ok {
		b.Skip("it is no ecp.Accessor")
	}
	_, o := b.create(2)
	for _, node := range []string{o.Nodes[0].Name, o.Nodes[1].Name, ""} {
		e, err := a.Endpoint(b.Context(), b.id, node)
		if err != nil || e.BaseURL == "" {
			b.Errorf("Endpoint of node %q: %v, base URL %q", node, err, e.BaseURL)
		}
	}
	if _, err := a.Endpoint(b.Context(), b.id, "emqx@nobody"); err == nil {
		b.Error("Endpoint of a node that is not there succeeded")
	}
	if _, err := a.Endpoint(b.Context(), NewID(), ""); err == nil {
		b.Error("Endpoint of a cluster that is not there succeeded")
	}
}

func brokersAnswer(b *bench) {
	a, ok := b.p.(ecp.Accessor)
	if !ok {
		b.Skip("it is no ecp.Accessor")
	}
	v, _ := ecp.ParseVersion(b.image.Version)
	var adapter ecp.Adapter
	for _, candidate := range b.suite.Adapters {
		if candidate.Major() == v.Major {
			adapter = candidate
		}
	}
	if adapter == nil {
		b.Skipf("ProvisionerSuite.Adapters has none of EMQX %d", v.Major)
	}
	_, o := b.create(b.suite.Nodes)
	for _, node := range o.Nodes {
		b.until("described by "+node.Name, func(ctx context.Context) string {
			d, err := describeBroker(ctx, a, adapter, b.id, node.Name)
			if err != nil {
				return err.Error()
			}
			return members(d, o, b.image.Version)
		})
	}
}

func describeBroker(
	ctx context.Context, a ecp.Accessor, adapter ecp.Adapter, id ecp.ID, node string,
) (ecp.Description, error) {
	e, err := a.Endpoint(ctx, id, node)
	if err != nil {
		return ecp.Description{}, fmt.Errorf("find node: %w", err)
	}
	broker, err := adapter.Open(e)
	if err != nil {
		return ecp.Description{}, fmt.Errorf("open broker: %w", err)
	}
	defer broker.Close()
	d, err := broker.Describe(ctx)
	if err != nil {
		return ecp.Description{}, fmt.Errorf("describe: %w", err)
	}
	return d, nil
}

// members is what is missing until every node is a member at the version.
func members(d ecp.Description, o ecp.Observation, version string) string {
	running := map[string]string{}
	for _, n := range d.Nodes {
		if n.Status == ecp.NodeRunning {
			running[n.Name] = n.Version
		}
	}
	for _, n := range o.Nodes {
		if running[n.Name] != version {
			return fmt.Sprintf("%s is not a running member of version %s: %v", n.Name, version, running)
		}
	}
	if len(running) != len(o.Nodes) {
		return fmt.Sprintf("%d members run, want %d", len(running), len(o.Nodes))
	}
	return ""
}
