package emqxsim

import "time"

// plugins4 are those there are, and whether they work at first. emqx_prometheus
// alone changes anything.
var plugins4 = map[string]bool{
	"emqx_dashboard": true, "emqx_management": true, "emqx_rule_engine": true,
	"emqx_prometheus": false, "emqx_web_hook": false, "emqx_bridge_mqtt": false,
}

// loadPlugin4 loads or unloads one on a node.
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

// state4 is what a cluster of EMQX 4.4 has beside what both majors have.
type state4 struct {
	plugins map[plugin4]bool // those that were loaded or unloaded
	crashes bool             // over members that are stopped
	dynamic dynamic4         // the call that sets a limit; "" = there is none
	// licensed is what the licence allows while less is set; 0 = no less is.
	licensed int
}

// plugin4 is a plugin on a node.
type plugin4 struct{ node, name string }

// loaded says whether a plugin works on a node.
func (s *state4) loaded(node, name string) bool {
	loaded, changed := s.plugins[plugin4{node, name}]
	return changed && loaded || !changed && plugins4[name]
}

func (s *state4) set(node, name string, loaded bool) {
	if s.plugins == nil {
		s.plugins = map[plugin4]bool{}
	}
	s.plugins[plugin4{node, name}] = loaded
}

// CrashOnStoppedMember makes nodes of EMQX 4.4 answer GET /nodes with 500 as
// long as a member is stopped, which the Enterprise edition may do; the open
// source edition was seen to list the others.
func (c *Cluster) CrashOnStoppedMember(crash bool) {
	c.change(func(time.Time) { c.v4.crashes = crash })
}
