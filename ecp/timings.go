package ecp

import "time"

// Timings are the Manager's patience. Zero fields take the default.
type Timings struct {
	Dispatch time.Duration // until the first Apply must have succeeded; 60 s
	Create   time.Duration // until a new cluster must run; 15 min
	Start    time.Duration // until a started cluster must run; 15 min
	Stop     time.Duration // until no node may be left; 5 min
	Delete   time.Duration // until a deleted cluster must be gone; 15 min
	Poll     time.Duration // between looks at EMQX while nothing moves; 15 s
	Retry    time.Duration // first wait after a failed Apply; doubles up to 30 s; 500 ms
	// Notice is what load balancers and Services get to see that a node takes no
	// clients any more, before those it has are cut; whole seconds. 20 s: a probe
	// every 5 s that fails three times, and some to spread it.
	Notice time.Duration
	// Takeover is what clients that were cut get to come back elsewhere, before
	// their sessions are moved without them; whole seconds; 10 s.
	Takeover time.Duration

	// Of adopted clusters:
	Register   time.Duration // until a cluster whose agent has registered must have reported; 60 s
	AgentGrace time.Duration // until an agent that has disconnected is missed; 5 s
	// ReportStale: until a connected agent that reports nothing is missed; 45 s, longer than it takes
	// to notice that a connection is dead
	ReportStale time.Duration
	// AgentReturn is how long agents get to come back to a program that was started
	// anew before one is missed; 60 s.
	AgentReturn time.Duration
	Limit       time.Duration // until the broker of an adopted cluster must have its limit, or its own back; 5 min
	// AgentAge is how long an agent is kept that is away and whose node has left the
	// cluster, or is another agent's; 24 h.
	AgentAge time.Duration
}

// WithDefaults returns t with every duration set: what is zero or less becomes the default.
func (t Timings) WithDefaults() Timings {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Dispatch, time.Minute)
	set(&t.Create, 15*time.Minute)
	set(&t.Start, 15*time.Minute)
	set(&t.Stop, 5*time.Minute)
	set(&t.Delete, 15*time.Minute)
	set(&t.Poll, 15*time.Second)
	set(&t.Retry, 500*time.Millisecond)
	set(&t.Notice, 20*time.Second)
	set(&t.Takeover, 10*time.Second)
	set(&t.Register, time.Minute)
	set(&t.AgentGrace, 5*time.Second)
	set(&t.ReportStale, 45*time.Second)
	set(&t.AgentReturn, time.Minute)
	set(&t.Limit, 5*time.Minute)
	set(&t.AgentAge, 24*time.Hour)
	return t
}
