package ecptest

import "github.com/openecp/openecp/ecp"

// evictionCases: machines that are emptied by others.
var evictionCases = []provisionerCase{{
	name:  "nobody evicts nodes while that is held",
	hook:  "Evict",
	given: func(s ProvisionerSuite) bool { return s.Evict != nil },
	test:  evicting,
}}

// evicting: what is asked for of evictions is true for everybody, is told, and makes no node outdated.
func evicting(b *bench) {
	n := b.suite.Nodes
	d, before := b.create(n)
	last := n - 1
	hold := func(held bool) {
		b.Helper()
		d.Generation++
		d.HoldEvictions = held
		b.apply(d)
		b.seen("what is asked for of evictions", func(o ecp.Observation) string {
			if o.EvictionsHeld != held {
				return map[bool]string{true: "nodes can be evicted", false: "nodes cannot be evicted"}[held]
			}
			return running(n)(o)
		})
		writes := b.writes()
		b.apply(d)
		if now := b.writes(); now != writes {
			b.Errorf("an Apply that changes nothing wrote %d times", now-writes)
		}
	}
	hold(true)
	if b.suite.Evict(b.T, b.p, b.id, last) == nil {
		b.Error("a node was evicted while nobody was to evict any")
	}
	b.same(identity(before, true), identity(b.seen("as before", running(n)), true))

	hold(false)
	b.seen("the eviction is taken", func(ecp.Observation) string {
		if err := b.suite.Evict(b.T, b.p, b.id, last); err != nil {
			return err.Error()
		}
		return ""
	})
	b.seen("made anew", func(o ecp.Observation) string {
		if why := running(n)(o); why != "" {
			return why
		}
		if o.Nodes[last].PodUID == before.Nodes[last].PodUID {
			return "the node that was evicted is there"
		}
		return ""
	})
}
