package emqxsim

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// A suspended node (its process got SIGSTOP, or its machine is frozen) accepts connections
// and answers none. Until the others count it as stopped they wait for it, and so do
// requests to them about all members. Requests about a single node are answered as usual,
// unless it is the suspended one.

// lostAfter is how long the others wait for a node that hangs before they count it as
// stopped, unless [Pace] says otherwise. With EMQX's default net_ticktime it is about two
// minutes.
const lostAfter = 2 * time.Minute

// suspension is the suspension of a node.
type suspension struct {
	since   time.Time
	resumed chan struct{} // closed when it ends
}

// Suspend makes the node hang as a process that got SIGSTOP, until [Node.Resume]. Its
// clients stay; it accepts no new ones.
func (n *Node) Suspend() {
	n.c.change(func(t time.Time) {
		if n.suspended == nil {
			n.suspended = &suspension{since: t, resumed: make(chan struct{})}
		}
	})
}

// Resume lets a suspended node continue.
func (n *Node) Resume() { n.c.change(n.resume) }

func (n *Node) resume(t time.Time) {
	if n.suspended == nil {
		return
	}
	close(n.suspended.resumed)
	n.suspended = nil
	if e := n.evac; e != nil && !e.next.IsZero() && !e.next.After(t) {
		e.next = t.Add(time.Second)
	}
}

// lost reports whether the others count a node that hangs as stopped.
func (n *Node) lost(t time.Time) bool {
	return n.suspended != nil && !t.Before(n.suspended.since.Add(cmp.Or(n.c.cfg.Pace.Split, lostAfter)))
}

// wait says how a request waits for a node that hangs.
type wait struct {
	on     <-chan struct{} // closed when the node continues; nil if the request does not wait
	most   time.Duration   // real time; 0 means until the caller gives up
	status int             // of the answer after that; 0 means the answer without the node
}

// waitFor returns how a request to the node waits.
func (n *Node) waitFor(r *http.Request, t time.Time) wait {
	if n.suspended != nil {
		return wait{on: n.suspended.resumed}
	}
	for _, m := range n.visible(t) {
		on := n.hangs(m, t)
		// Requests without credentials are refused at once.
		if on == nil || r.Header.Get("Authorization") == "" {
			continue
		}
		if w, waits := waitingCall(n.c.major, r, m.name); waits {
			w.on = on
			return w
		}
	}
	return wait{}
}

// done waits. goOn is false if the caller gave up, late is true if the wait was over first.
func (w wait) done(r *http.Request) (goOn, late bool) {
	if w.on == nil {
		return true, false
	}
	var over <-chan time.Time
	if w.most > 0 {
		timer := time.NewTimer(w.most)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-w.on:
		return true, false
	case <-over:
		return true, true
	case <-r.Context().Done():
		return false, false
	}
}

// How long 5.8.9 was seen to wait in calls that did not wait for more than 10 s.
const (
	nodesWait   = 7500 * time.Millisecond
	monitorWait = 5 * time.Second
)

// ofAll are the calls, below the API's base, that ask every member. Those of 4.4 were not
// recorded; according to its source all of them wait.
var ofAll = map[int]map[string]wait{
	5: {
		"/nodes": {most: nodesWait}, "/monitor": {most: monitorWait, status: http.StatusInternalServerError},
		// Like the one above; not seen.
		"/monitor_current": {most: monitorWait, status: http.StatusInternalServerError},
		"/stats":           {}, "/metrics": {}, "/alarms": {}, "/listeners": {}, "/listeners_status": {},
		"/connectors": {}, "/actions": {}, "/sources": {}, "/actions_summary": {}, "/sources_summary": {},
		"/load_rebalance/status": {}, "/load_rebalance/global_status": {}, "/clients": {}, "/cluster/topology": {},
	},
	4: {
		"/nodes": {}, "/brokers": {}, "/stats": {}, "/metrics": {}, "/alarms": {}, "/alarms/activated": {},
		"/alarms/deactivated": {},
		"/listeners":          {}, "/rules": {}, "/resources": {}, "/monitor/current_metrics": {},
		"/load_rebalance/status": {}, "/load_rebalance/global_status": {},
	},
}

// ofOne are prefixes of changes on one member. All other changes are made on all members.
var ofOne = []string{"/login", "/logout", "/auth", "/nodes/", "/cluster/", "/load_rebalance/"}

// waitingCall reports whether a call waits for a member that hangs, and how.
func waitingCall(major int, r *http.Request, member string) (wait, bool) {
	path, ok := strings.CutPrefix(r.URL.Path, map[int]string{4: base4, 5: base5}[major])
	if !ok {
		return wait{}, false
	}
	path = strings.TrimRight(path, "/")
	if strings.Contains(path+"/", "/"+member+"/") {
		return wait{}, true
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		for _, prefix := range ofOne {
			if strings.HasPrefix(path+"/", prefix) {
				return wait{}, false
			}
		}
		return wait{}, true
	}
	if mode := r.URL.Query().Get("mode"); strings.HasPrefix(path, "/prometheus/") && mode != "" && mode != "node" {
		return wait{}, true
	}
	if strings.HasPrefix(path, "/monitor/metrics/") || major == 4 && strings.HasPrefix(path, "/resources/") {
		return wait{}, true
	}
	w, waits := ofAll[major][path]
	return w, waits
}
