package emqxsim

import (
	"maps"
	"time"
)

// plugins4 are the plugins of a node, and whether they are loaded at first. Only
// emqx_prometheus has an effect.
var plugins4 = map[string]bool{
	"emqx_dashboard": true, "emqx_management": true, "emqx_rule_engine": true,
	"emqx_prometheus": false, "emqx_web_hook": false, "emqx_bridge_mqtt": false,
}

// loadPlugin4 loads or unloads a plugin on a node.
func loadPlugin4(load bool) func(*call4) answer {
	return func(c *call4) answer {
		return c.onNode(func(m *Node) answer {
			name := c.params["plugin"]
			_, known := plugins4[name]
			loaded := c.c.v4.loaded(m.name, name)
			switch {
			case !known:
				return notFound4()
			case load && loaded:
				return message4("already_started")
			case !load && !loaded:
				return message4("not_started")
			}
			c.c.v4.set(m.name, name, load)
			return done4()
		})
	}
}

// state4 is the state of a cluster that only EMQX 4.4 has.
type state4 struct {
	plugins map[plugin4]bool // those that were loaded or unloaded
	crashes bool             // GET /nodes crashes while a member is stopped
	dynamic dynamic4         // the call that sets a limit; its method is empty if there is none
	// licensed is the limit of the license while a lower one is set, else 0.
	licensed int
}

// plugin4 is a plugin on a node.
type plugin4 struct{ node, name string }

// loaded reports whether a plugin is loaded on a node.
func (s *state4) loaded(node, name string) bool {
	loaded, changed := s.plugins[plugin4{node, name}]
	return changed && loaded || !changed && plugins4[name]
}

// forget forgets what was loaded on a node whose data folder is gone.
func (s *state4) forget(node string) {
	maps.DeleteFunc(s.plugins, func(p plugin4, _ bool) bool { return p.node == node })
}

func (s *state4) set(node, name string, loaded bool) {
	if s.plugins == nil {
		s.plugins = map[plugin4]bool{}
	}
	s.plugins[plugin4{node, name}] = loaded
}

// CrashOnStoppedMember makes nodes of EMQX 4.4 answer GET /nodes with 500 while a member is
// stopped, which the Enterprise edition may do. The open source edition was seen to list
// the other members.
func (c *Cluster) CrashOnStoppedMember(crash bool) {
	c.change(func(time.Time) { c.v4.crashes = crash })
}
