package emqxsim

import (
	"cmp"
	"time"
)

// Pace is how long those things take in a cluster for which brokers take their
// time. A time of zero is quick: it happens at once, or not at all.
type Pace struct {
	// Alone is how long a new node that finds others serves as a cluster of its own
	// before it joins them, Join how long it then takes no connections; its clients
	// are cut. As long as one of the others hangs it does not join.
	Alone, Join time.Duration
	// Split is how long members that cannot reach one another wait until each counts
	// the other as stopped. Until then who asks about all members waits, and so does
	// who connects. 0 = at once where the network is cut, and two minutes for a
	// member that hangs.
	Split time.Duration
	// Heal is how long after the end of a split the smaller side restarts, which
	// cuts its clients.
	Heal time.Duration
}

// The times that 5.8.9, and 4.4.19 where it differs, were seen to take on small
// machines. Split is that of EMQX' own settings, renderedSplit that of those which
// hosted clusters get.
const (
	bootSeen, bootSeen4 = 8 * time.Second, 7400 * time.Millisecond
	pageSeen, pageSeen4 = 400 * time.Millisecond, 50 * time.Millisecond
	aloneSeen           = 3 * time.Second
	joinSeen            = 1200 * time.Millisecond
	splitSeen           = 140 * time.Second
	renderedSplit       = 45 * time.Second
	healSeen            = 20 * time.Second
	stopSeen            = 1800 * time.Millisecond
)

// steadyFor is how long a node has to answer without a break before a pod counts
// as ready, as hosted clusters are rendered.
const steadyFor = 10 * time.Second

// RealPace fills in what takes time, where nothing is given, with what running
// brokers were seen to take.
func (c ClusterConfig) RealPace() ClusterConfig {
	boot, page := bootSeen, pageSeen
	if c.Version != "" && mustMajor(c.Version) == 4 {
		boot, page = bootSeen4, pageSeen4
	}
	c.BootTime, c.BootPage = cmp.Or(c.BootTime, boot), cmp.Or(c.BootPage, page)
	c.Pace = c.Pace.or(Pace{Alone: aloneSeen, Join: joinSeen, Split: splitSeen, Heal: healSeen})
	return c
}

// RealPace is as that of [ClusterConfig]: pods are ready ten seconds after their
// node has joined, and refuse connections as soon as their end was asked for.
func (c ProvisionerConfig) RealPace() ProvisionerConfig {
	c.Pace = c.Pace.or(Pace{Alone: aloneSeen, Join: joinSeen, Split: renderedSplit, Heal: healSeen})
	c.AnswerTime = cmp.Or(c.AnswerTime, aloneSeen+joinSeen+steadyFor)
	c.BootTime = cmp.Or(c.BootTime, bootSeen+c.AnswerTime)
	c.StopTime, c.TerminateTime = cmp.Or(c.StopTime, stopSeen), cmp.Or(c.TerminateTime, stopSeen)
	return c
}

func (p Pace) or(seen Pace) Pace {
	return Pace{
		Alone: cmp.Or(p.Alone, seen.Alone), Join: cmp.Or(p.Join, seen.Join),
		Split: cmp.Or(p.Split, seen.Split), Heal: cmp.Or(p.Heal, seen.Heal),
	}
}
