package emqxsim

import (
	"cmp"
	"time"
)

// Pace holds the durations of those transitions that take real brokers a while. A zero
// duration means that it happens at once, or not at all.
type Pace struct {
	// Alone is how long a new node serves as a cluster of its own before it joins the
	// others. Join is how long it then accepts no connections; its clients are
	// disconnected. It does not join while one of the others hangs.
	Alone, Join time.Duration
	// Split is how long members that cannot reach one another wait until each counts the
	// other as stopped. Until then requests about all members wait, and so do clients that
	// connect. 0 means at once if the network is cut, and two minutes for a member that
	// hangs.
	Split time.Duration
	// Heal is how long after the end of a split the smaller side restarts, which
	// disconnects its clients.
	Heal time.Duration
}

// The durations seen with 5.8.9, and with 4.4.19 where it differs, on small machines. Split
// is that of EMQX's default settings, renderedSplit that of the settings of hosted
// clusters.
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

// steadyFor is how long a node must answer without interruption before its pod counts as
// ready, as in the rendered pods of hosted clusters.
const steadyFor = 10 * time.Second

// RealPace fills in durations that are zero with those seen with real brokers.
func (c ClusterConfig) RealPace() ClusterConfig {
	boot, page := bootSeen, pageSeen
	if c.Version != "" && mustMajor(c.Version) == 4 {
		boot, page = bootSeen4, pageSeen4
	}
	c.BootTime, c.BootPage = cmp.Or(c.BootTime, boot), cmp.Or(c.BootPage, page)
	c.Pace = c.Pace.or(Pace{Alone: aloneSeen, Join: joinSeen, Split: splitSeen, Heal: healSeen})
	return c
}

// RealPace is like [ClusterConfig.RealPace]. Pods are ready ten seconds after their node
// has joined, and refuse connections as soon as their deletion was asked for.
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
