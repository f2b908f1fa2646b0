package drilltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// check returns what is wrong in a history; nothing if all promises were kept.
func (h *history) check() (wrong []string) {
	for _, c := range []func(func(string, ...any)){
		h.checkReaders, h.checkClusters, h.checkDescriptions, h.checkOperations, h.checkAudit, h.checkBooks,
		h.checkStored, h.checkPlatform, h.checkEnd,
	} {
		found := 0
		c(func(format string, args ...any) {
			if found++; found <= 5 { // more of one kind says nothing more
				wrong = append(wrong, fmt.Sprintf(format, args...))
			}
		})
	}
	return wrong
}

// checkReaders: every reader was shown each event of the stream once, in order, from its
// first to its last.
func (h *history) checkReaders(wrong func(string, ...any)) {
	for _, n := range h.end.gaps {
		wrong("change %d is missing in the database", n)
	}
	for i, s := range h.truth {
		if i > 0 && s.Seq <= h.truth[i-1].Seq {
			wrong("the stream itself has %d after %d", s.Seq, h.truth[i-1].Seq)
		}
	}
	for r, all := range h.readers {
		if len(all) == 0 {
			wrong("reader %d was shown nothing", r)
			continue
		}
		known := map[int64]seen{}
		for i, s := range all {
			if i > 0 && s.Seq <= all[i-1].Seq {
				wrong("reader %d: %d came after %d", r, s.Seq, all[i-1].Seq)
			}
			known[s.Seq] = s
		}
		for _, s := range h.truth {
			if s.Seq < all[0].Seq || s.Seq > all[len(all)-1].Seq {
				continue
			}
			got, ok := known[s.Seq]
			delete(known, s.Seq)
			if !ok {
				wrong("reader %d: %d (%s %s) is missing", r, s.Seq, s.Kind, s.Key)
			} else if got.Kind != s.Kind || got.Key != s.Key || got.Deleted != s.Deleted ||
				string(got.Object) != string(s.Object) {
				wrong("reader %d: %d was another than it is now: %+v and %+v", r, s.Seq, got, s)
			}
		}
		for _, n := range slices.Sorted(maps.Keys(known)) {
			wrong("reader %d: nobody else knows of %d", r, n)
		}
	}
}

// life is what the stream tells of one cluster.
type life struct {
	id           ecp.ID
	name         string
	descriptions []string // each with which it goes on
	deleted      bool
	again        bool // it was there after it had been deleted
}

// lives reads the stream for clusters.
func (h *history) lives() map[ecp.ID]*life {
	lives := map[ecp.ID]*life{}
	for _, s := range h.truth {
		if s.Kind != ecp.KindCluster {
			continue
		}
		var c struct{ Name, Description string }
		if err := json.Unmarshal(s.Object, &c); err != nil {
			continue // a checker of the API's form is elsewhere
		}
		l := lives[ecp.ID(s.Key)]
		if l == nil {
			l = &life{id: ecp.ID(s.Key), name: c.Name, descriptions: []string{c.Description}}
			lives[l.id] = l
		}
		l.again = l.again || l.deleted && !s.Deleted
		l.deleted = l.deleted || s.Deleted
		if last := l.descriptions[len(l.descriptions)-1]; c.Description != last {
			l.descriptions = append(l.descriptions, c.Description)
		}
	}
	return lives
}

// checkClusters: what was created is there once, and nothing else is; what was deleted has
// gone, and nothing else has.
func (h *history) checkClusters(wrong func(string, ...any)) {
	lives := h.lives()
	byName := map[string][]ecp.ID{}
	for _, l := range lives {
		byName[l.name] = append(byName[l.name], l.id)
		if l.again {
			wrong("%s came back after it had gone", l.id)
		}
		if _, there := h.end.clusters[l.id]; there == l.deleted {
			wrong("%s: deleted in the stream %v, there at the end %v", l.id, l.deleted, there)
		}
	}
	mayGo := map[ecp.ID]outcome{}
	for _, o := range h.ops {
		if o.what == "delete" && o.outcome != refused && mayGo[o.cluster] != taken {
			mayGo[o.cluster] = o.outcome
			if o.outcome == unknown {
				mayGo[o.cluster] = -1
			}
		}
		if o.what != "create" {
			continue
		}
		ids := byName[o.value]
		delete(byName, o.value)
		switch {
		case len(ids) > 1:
			wrong("%q was made %d times: %v", o.value, len(ids), ids)
		case o.outcome == taken && len(ids) == 0:
			wrong("%q was acknowledged as %s and is lost", o.value, o.cluster)
		case o.outcome == refused && len(ids) > 0:
			wrong("%q was refused and is there: %v", o.value, ids)
		}
		for _, a := range o.answers {
			if len(ids) == 1 && a != string(ids[0]) {
				wrong("%q is %s, and was answered as %s", o.value, ids[0], a)
			}
		}
	}
	for name, ids := range byName {
		wrong("nobody has asked for %q: %v", name, ids)
	}
	for _, l := range lives {
		switch may := mayGo[l.id]; {
		case l.deleted && may == unknown:
			wrong("%s has gone, and nobody has deleted it", l.id)
		case !l.deleted && may == taken:
			wrong("%s was deleted, and is there", l.id)
		}
	}
}

// checkDescriptions: every description that was acknowledged was in force once, in the order
// in which they were asked for, none that was refused ever was, and no other came from
// nowhere. Each cluster is described by one client, one thing at a time.
func (h *history) checkDescriptions(wrong func(string, ...any)) {
	lives := h.lives()
	asked := map[string]op{}
	order := map[ecp.ID][]op{}
	for _, o := range h.ops {
		if o.what == "describe" {
			asked[o.value] = o
			order[o.cluster] = append(order[o.cluster], o)
		}
	}
	for id, l := range lives {
		count := map[string]int{}
		for _, d := range l.descriptions {
			if d == "" {
				continue
			}
			o, known := asked[d]
			switch count[d]++; {
			case count[d] > 1:
				wrong("%s: the description %q came into force %d times", id, d, count[d])
			case !known || o.cluster != id:
				wrong("%s: nobody has asked for the description %q", id, d)
			case o.outcome == refused:
				wrong("%s: the description %q was refused, and was in force", id, d)
			}
		}
		at := -1
		for _, o := range order[id] {
			if o.outcome != taken {
				continue
			}
			is := slices.Index(l.descriptions, o.value)
			switch {
			case is < 0:
				wrong("%s: the description %q was acknowledged and is lost", id, o.value)
			case is < at:
				wrong("%s: the description %q was in force before an earlier one", id, o.value)
			}
			at = max(at, is)
		}
		c, there := h.end.clusters[id]
		if last := l.descriptions[len(l.descriptions)-1]; there && c.description != last {
			wrong("%s: the last description in the stream is %q, and at the end it is %q", id, last, c.description)
		}
	}
	for id, all := range order {
		if _, known := lives[id]; !known {
			wrong("%s was described %d times, and the stream does not know it", id, len(all))
		}
	}
}

// checkOperations: whoever has asked for the same thing again got the same answer, what was
// begun is what clients have asked for, and all of it has ended.
func (h *history) checkOperations(wrong func(string, ...any)) {
	phases, begun := map[string]string{}, map[ecp.ID][]string{}
	for _, s := range h.truth {
		if s.Kind != ecp.KindOperation {
			continue
		}
		var o struct{ Cluster ecp.ID }
		if err := json.Unmarshal(s.Object, &o); err == nil && phases[s.Key] == "" {
			begun[o.Cluster] = append(begun[o.Cluster], s.Key)
		}
		if !s.Deleted {
			phases[s.Key] = s.State
		}
	}
	mine, open := map[string]bool{}, map[ecp.ID]int{}
	for _, o := range h.ops {
		for _, a := range o.answers[min(1, len(o.answers)):] {
			if a != o.answers[0] {
				wrong("one key, two answers to %s %s: %v", o.what, o.cluster, o.answers)
			}
		}
		switch {
		case o.what == "create" && o.cluster != "":
			open[o.cluster]++ // its operation is not in the answer
		case o.outcome == unknown:
			open[o.cluster]++
		case o.outcome == taken && len(o.answers) > 0 && o.answers[0] != "":
			mine[o.answers[0]] = true
			if phases[o.answers[0]] == "" {
				wrong("%s was acknowledged for %s of %s, and is lost", o.answers[0], o.what, o.cluster)
			}
		}
	}
	for id, keys := range begun {
		others := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return mine[k] })
		if most := max(open[id], 1); len(others) > most { // 1: of a create that nobody was told of
			wrong("%s has operations that nobody has asked for: %v of %d", id, others, most)
		}
	}
	for key, phase := range phases {
		if !ecp.Phase(phase).Final() || ecp.Phase(phase) == ecp.PhaseFailed {
			wrong("%s is %s at the end", key, phase)
		}
	}
}

// checkAudit: what was acknowledged is in the audit once, what was refused is not.
func (h *history) checkAudit(wrong func(string, ...any)) {
	type what struct {
		action  string
		cluster ecp.ID
	}
	least, most, is := map[what]int{}, map[what]int{}, map[what]int{}
	for _, o := range h.ops {
		w := what{o.what, o.cluster}
		if o.what == "describe" || o.what == "connections" || o.what == "scale" {
			w.action = "update"
		}
		if o.what == "create" && o.cluster == "" {
			continue // nobody knows which it is
		}
		if o.outcome != refused {
			most[w]++
		}
		// Of what holds already nothing is told.
		if o.outcome == taken && (o.what == "describe" || len(o.answers) > 0 && o.answers[0] != "") {
			least[w]++
		}
	}
	created := 0
	for _, a := range h.audit {
		is[what(a)]++
		if a.action == "create" {
			created++
		}
	}
	for w, n := range least {
		if is[w] < n {
			wrong("the audit has %s of %s %d times, and %d were acknowledged", w.action, w.cluster, is[w], n)
		}
	}
	for w, n := range is {
		if n > most[w] && w.action != "create" {
			wrong("the audit has %s of %s %d times, and %d were asked for", w.action, w.cluster, n, most[w])
		}
		if w.action == "create" && n > 1 {
			wrong("the audit has %d times that %s was created", n, w.cluster)
		}
	}
	if lives := len(h.lives()); created != lives {
		wrong("the audit has %d creations, and the stream %d clusters", created, lives)
	}
}

// checkBooks: at no moment was anything booked but what clusters have, and never too much.
func (h *history) checkBooks(wrong func(string, ...any)) {
	if len(h.end.books) == 0 {
		wrong("nobody has looked at the books")
	}
	for _, b := range h.end.books {
		if b.booked != b.pool || b.clusters != b.poolClusters || b.booked != b.quota {
			wrong("at %d the books do not say what clusters have: %+v", b.seq, b)
		}
		if b.pool > b.poolLimit || b.quota > b.quotaLimit {
			wrong("at %d more is booked than there is: %+v", b.seq, b)
		}
	}
}

// checkStored: the writes of passes over a shard are those of one daemon for each epoch, and
// epochs grow; no two transactions have the same numbers.
func (h *history) checkStored(wrong func(string, ...any)) {
	all := slices.SortedFunc(slices.Values(h.stored), func(a, b storedWrite) int { return int(a.after - b.after) })
	last := map[int]storedWrite{}
	for i, w := range all {
		if i > 0 && w.after < all[i-1].last {
			wrong("changes after %d were written twice: %+v, %+v", w.after, all[i-1], w)
		}
		if was, known := last[w.shard]; known {
			if w.epoch < was.epoch {
				wrong("a pass of an earlier epoch has written: %+v, then %+v", was, w)
			}
			if w.epoch == was.epoch && w.by != was.by {
				wrong("two have written in one epoch: %+v, then %+v", was, w)
			}
		}
		last[w.shard] = w
	}
}

// checkPlatform: after a call with a higher epoch none with a lower one changes a cluster, and
// none speaks to its EMQX.
func (h *history) checkPlatform(wrong func(string, ...any)) {
	type reached struct {
		platformCall
		at int
	}
	last := map[ecp.ID]reached{}
	later := func(c, than platformCall) bool {
		return c.holder > than.holder || c.holder == than.holder && c.epoch > than.epoch
	}
	asked := h.asked
	for i := 0; i <= len(h.calls); i++ {
		for ; len(asked) > 0 && asked[0].at <= i; asked = asked[1:] {
			if was, known := last[asked[0].cluster]; known && asked[0].epoch < was.epoch {
				wrong("EMQX was spoken to in an earlier epoch: %+v, after %+v", asked[0], was)
			}
		}
		if i == len(h.calls) {
			break
		}
		c := h.calls[i]
		if c.refused && !c.changed {
			continue
		}
		was, known := last[c.cluster]
		if known && c.changed && later(was.platformCall, c) {
			wrong("a call of an earlier epoch has changed something: %+v, after %+v", c, was)
		}
		if known && c.changed && c.epoch == was.epoch && c.holder == was.holder && c.by != was.by {
			wrong("two have worked on one cluster in one epoch: %+v, after %+v", c, was)
		}
		if !known || later(c, was.platformCall) {
			last[c.cluster] = reached{c, i}
		}
	}
}

// checkEnd: everything has settled.
func (h *history) checkEnd(wrong func(string, ...any)) {
	for id, c := range h.end.clusters {
		if c.operation != "" || c.nodes != c.wanted {
			wrong("%s has not settled: %+v", id, c)
		}
	}
}
