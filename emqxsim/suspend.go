package emqxsim

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// A suspended node (its process under SIGSTOP, its machine frozen) takes
// connections and answers none. Until the others count it as stopped they wait
// for it: whoever asks one of them about all members waits, too. What is about
// one node only is answered as ever, unless it is that one.

// lostAfter is how long the others wait for a node that hangs before they count
// it as stopped, where no [Pace] says otherwise. It is about two minutes with EMQX'
// default net_ticktime.
const lostAfter = 2 * time.Minute

// suspension of a node.
type suspension struct {
	since   time.Time
	resumed chan struct{} // closed when it ends
}

// Suspend makes the node hang as a process under SIGSTOP does, until Resume.
// Its clients stay; it takes no new ones.
func (n *Node) Suspend() {
	n.c.change(func(t time.Time) {
		if n.suspended == nil {
			n.suspended = &suspension{since: t, resumed: make(chan struct{})}
		}
	})
}

// Resume lets a suspended node go on.
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

// lost says that the others count a node that hangs as stopped.
func (n *Node) lost(t time.Time) bool {
	return n.suspended != nil && !t.Before(n.suspended.since.Add(cmp.Or(n.c.cfg.Pace.Split, lostAfter)))
}

// wait is how a request waits for a node that hangs.
type wait struct {
	on     <-chan struct{} // until it goes on; nil = it does not wait
	most   time.Duration   // of real time; 0 = until the caller gives up
	status int             // of the answer after that; 0 = what can be said without the node
}

// waitFor says how a request to the node waits.
func (n *Node) waitFor(r *http.Request, t time.Time) wait {
	if n.suspended != nil {
		return wait{on: n.suspended.resumed}
	}
	for _, m := range n.visible(t) {
		on := n.hangs(m, t)
		if on == nil || r.Header.Get("Authorization") == "" { // who is refused is refused at once
			continue
		}
		if w, waits := waitingCall(n.c.major, r, m.name); waits {
			w.on = on
			return w
		}
	}
	return wait{}
}

// done waits; false means that the caller gave up.
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

// How long a 5.8.9 was seen to wait where it did not wait for more than 10 s.
const (
	nodesWait   = 7500 * time.Millisecond
	monitorWait = 5 * time.Second
)

// ofAll are the calls, below the API's base, that ask every member. Those of
// 4.4 were not recorded: from its source it waits in all of them.
var ofAll = map[int]map[string]wait{
	5: {
		"/nodes": {most: nodesWait}, "/monitor": {most: monitorWait, status: http.StatusInternalServerError},
		"/monitor_current": {most: monitorWait, status: http.StatusInternalServerError}, // as its neighbour; not seen
		"/stats":           {}, "/metrics": {}, "/alarms": {}, "/listeners": {}, "/listeners_status": {},
		"/connectors": {}, "/actions": {}, "/sources": {}, "/actions_summary": {}, "/sources_summary": {},
		"/load_rebalance/status": {}, "/load_rebalance/global_status": {}, "/clients": {}, "/cluster/topology": {},
	},
	4: {
		"/nodes": {}, "/brokers": {}, "/stats": {}, "/metrics": {}, "/alarms": {}, "/alarms/activated": {}, "/alarms/deactivated": {},
		"/listeners": {}, "/rules": {}, "/resources": {}, "/monitor/current_metrics": {}, "/monitor/metrics": {},
		"/load_rebalance/status": {}, "/load_rebalance/global_status": {},
	},
}

// ofOne are prefixes of changes that concern one member; others are made on all.
var ofOne = []string{"/login", "/logout", "/auth", "/nodes/", "/cluster/", "/load_rebalance/"}

// waitingCall says whether a call waits for a member that hangs.
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
