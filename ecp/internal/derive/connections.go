package derive

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/drift"
)

// LimitsAtRunTime reports whether EMQX of a version can be told how many connections its
// listeners take while it runs. EMQX 4.4 reads that only when it starts.
func LimitsAtRunTime(version string) bool {
	v, ok := ecp.ParseVersion(version)
	return ok && v.Major >= 5
}

// ListenerShare returns how many connections each listener of one of several nodes takes,
// so that the nodes together take what is booked, or up to one more for each node.
func ListenerShare(connections, nodes int) int {
	nodes = max(nodes, 1)
	return (connections + nodes - 1) / nodes
}

// DescribeShare returns in words how a booked number is divided between nodes.
func DescribeShare(connections, nodes int) string {
	share := ListenerShare(connections, nodes)
	if nodes <= 1 {
		return fmt.Sprintf("each listener takes %d connections", share)
	}
	return fmt.Sprintf("each listener takes %d connections on each node: %d over %d nodes, up to %d in all", share,
		connections, nodes, share*nodes)
}

// ConnectionTarget is what EMQX of a hosted cluster is to keep to.
type ConnectionTarget struct {
	Total int // of the whole cluster, for a license that takes a limit at run time
	Share int // of each listener of each node, for every other one
}

// ConnectionTarget returns what EMQX is to keep to now. It returns false where EMQX is not
// told: it cannot be, no node is to run or has started yet, or nothing was asked of the
// cluster since a build that did not divide the number.
//
// While a node is away or its clients leave it, the others take its share, so that its
// clients find room. While nodes are replaced one after the other that is so all the time.
func (v View) ConnectionTarget() (ConnectionTarget, bool) {
	rec := v.Rec
	starts := rec.Status.State == ecp.Creating || rec.Status.State == ecp.Starting
	if v.Snapshot.NoAdapter || v.Want == 0 || rec.Resolved.ListenerLimit == 0 || len(v.Ready) == 0 ||
		!LimitsAtRunTime(rec.Resolved.Image.Version) || starts && !v.AsWanted() {
		return ConnectionTarget{}, false
	}
	takers, reached := 0, v.Reached()
	for _, n := range reached {
		if d := rec.Status.Draining; d == nil || d.Node != n.Name {
			takers++
		}
	}
	want := v.All()
	if v.Snapshot.Found.ReplicantsInFront {
		want = v.WantReplicants
	}
	if v.replaces() && slices.ContainsFunc(OutdatedOf(v.Snapshot.Found), v.isReached) {
		takers = min(takers, want-1)
	}
	n := rec.Spec.Connections()
	return ConnectionTarget{Total: n, Share: ListenerShare(n, takers)}, true
}

// BrokerLimits is what EMQX has said of the limits that it keeps to, and what has come of
// telling it others.
type BrokerLimits struct {
	Of      string              // which nodes were asked, and what they are to have; see View.LimitsOf
	License ecp.ConnectionLimit // that of the license
	Nodes   map[string]int      // how many connections the listeners of each node take; 0 means no limit
	Full    bool                // the plain listener of every node has as many connections as it takes
	Done    bool                // EMQX has what it is to have
	Refused bool                // it does not take it, and would not the next time
	Why     string              // why it does not have it; empty where it has
}

// LimitsOf identifies the nodes that are ready and what they are to keep to.
func (v View) LimitsOf() string {
	target, managed := v.ConnectionTarget()
	parts := []string{fmt.Sprint(managed, target)}
	for _, n := range v.Ready {
		parts = append(parts, n.Pod+"/"+n.PodUID+"/"+n.Since.String())
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, " ")
}

// Limited reports whether EMQX has said that it keeps to what it is to keep to, or is not
// told.
func (v View) Limited() bool {
	if _, managed := v.ConnectionTarget(); !managed {
		return true
	}
	l := v.Snapshot.Limits
	return l != nil && l.Done && l.Of == v.LimitsOf()
}

// limitAwaited reports whether the cluster counts as running only once EMQX keeps to its
// limit: a task is under way, or has failed. A cluster that runs stays so.
func (v View) limitAwaited() bool {
	return !v.Limited() && (v.settling() != "" || taskFailures[v.Rec.Status.Reason])
}

// limitRefused reports whether EMQX has refused the limit, and nothing else is left to do.
func (v View) limitRefused() bool {
	l := v.Snapshot.Limits
	return v.settling() != "" && v.Agreed() && !v.Limited() && l != nil && l.Refused && l.Of == v.LimitsOf()
}

func taskRefusedByEMQX(v View) (ecp.State, ecp.Reason, string) {
	return v.failedAtEMQX(v.Snapshot.Limits.Why)
}

// failedAtEMQX is where a task leads that EMQX does not let end.
func (v View) failedAtEMQX(why string) (ecp.State, ecp.Reason, string) {
	if v.settling() == ecp.Updating { // Kubernetes has done its part
		return ecp.Abnormal, ecp.ReasonSyncFailed, why
	}
	return ecp.Abnormal, failureOf[v.settling()], why
}

// LimitChange is one limit to be set.
type LimitChange struct {
	Listener string // its id; empty means the limit of the license
	Limit    int
}

// String names what is set.
func (c LimitChange) String() string {
	if c.Listener == "" {
		return fmt.Sprintf("the license's limit of %d connections", c.Limit)
	}
	return fmt.Sprintf("%d connections on each node for the listener %s", c.Limit, c.Listener)
}

// LimitChanges compares what EMQX keeps to with what it is to keep to. A license that takes
// a limit at run time counts for the whole cluster, so that each listener may take it all.
// Listeners whose limit the spec sets by config are left to it.
func LimitChanges(t ConnectionTarget, license ecp.ConnectionLimit, listeners []ecp.BrokerListener,
	config map[string]string) (out []LimitChange) {
	each := t.Share
	if license.Settable {
		each = t.Total
		if license.Set != t.Total {
			out = append(out, LimitChange{Limit: t.Total})
		}
	}
	own := map[string]any{}
	drift.Leaves(own, config)
	for _, l := range forClients(listeners) {
		_, configured := own["listeners."+strings.ReplaceAll(l.ID, ":", ".")+".max_connections"]
		if l.Enabled && !configured && len(l.Without(each)) > 0 {
			out = append(out, LimitChange{l.ID, each})
		}
	}
	return out
}

// forClients leaves out listeners that only the machine itself can reach.
func forClients(listeners []ecp.BrokerListener) []ecp.BrokerListener {
	return slices.DeleteFunc(slices.Clone(listeners), func(l ecp.BrokerListener) bool {
		a, err := netip.ParseAddrPort(l.Bind)
		return err == nil && a.Addr().IsLoopback()
	})
}

// Record takes up what EMQX has said of nodes that are ready: one that is going is a member
// for a while. The listener of a node that takes the most counts.
func (l *BrokerLimits) Record(license ecp.ConnectionLimit, listeners []ecp.BrokerListener,
	ready []ecp.NodeObservation) {
	l.License, l.Nodes, l.Full = license, map[string]int{}, false
	for _, one := range forClients(listeners) {
		for _, n := range one.Nodes {
			isReady := slices.ContainsFunc(ready, func(o ecp.NodeObservation) bool { return o.Name == n.Node })
			if !n.Running || !isReady {
				continue
			}
			was, known := l.Nodes[n.Node]
			if !known || n.Limit == 0 || was > 0 && n.Limit > was {
				l.Nodes[n.Node] = n.Limit
			}
		}
		if one.ID == "tcp:default" || one.ID == "mqtt:tcp:external" {
			l.Full = !slices.ContainsFunc(one.Nodes,
				func(n ecp.ListenerNode) bool { return n.Limit == 0 || n.Connections < n.Limit })
		}
	}
}

// Enforced returns how many connections EMQX has said that it takes, 0 where it has not, and
// who sees to that. What is over the booked number by more than its division is rounded up
// is not called enforced.
func (l *BrokerLimits) Enforced(booked int) (limit int, by string) {
	if l == nil || l.Nodes == nil {
		return 0, ecp.EnforcedByUnknown
	}
	allowed := booked + max(len(l.Nodes)-1, 0)
	by = ecp.EnforcedByListeners
	for _, n := range l.Nodes {
		if limit += n; n == 0 {
			limit, by = 0, ecp.EnforcedByNone
			break
		}
	}
	if n := l.License.InForce; n > 0 && (limit == 0 || n <= limit) {
		limit, by, allowed = n, ecp.EnforcedByLicense, booked
	}
	if limit > allowed {
		by = ecp.EnforcedByNone
	}
	return limit, by
}
