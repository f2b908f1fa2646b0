package k8sprovisioner

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How a contest is handled, in which another writer undoes our writes.
const (
	contestThreshold = 4                // writes of the same fields that were undone, before there are pauses
	contestGap       = 10 * time.Minute // longest time between two of them, beside the pause
	firstPause       = time.Second
	longestPause     = 5 * time.Minute
)

// gone stands for the object itself among fields: it existed, and another writer has
// deleted it.
const gone = ""

// contest records the writes of one object that were undone. The zero value is an object
// that was never written.
type contest struct {
	hash   string         // of the rendering: another rendering starts a new contest
	undone map[string]int // how often each field was, e.g. "spec.replicas"; never changed, only replaced
	fields []string       // those because of which it was written last
	writes int            // in a row because of the field that was undone most often
	wrote  time.Time      // the last write
	pause  time.Duration
	by     string // the other field manager; empty if it is not known
}

// paused reports whether an object is not to be written for now: only contested fields
// differ, and they were written not long ago.
func (c contest) paused(now time.Time, hash string, fields []string) bool {
	return c.hash == hash && now.Before(c.wrote.Add(c.pause)) && len(fields) > 0 &&
		!slices.ContainsFunc(fields, func(f string) bool { return c.undone[f] < contestThreshold })
}

// next returns the contest after one more write because of these fields. Each field is
// counted by itself, since two other writers may undo different ones in turn.
func (c contest) next(now time.Time, hash string, fields []string) contest {
	if c.hash != hash || now.Sub(c.wrote) > 2*c.pause+contestGap {
		c = contest{hash: hash}
	}
	undone := maps.Clone(c.undone)
	if undone == nil {
		undone = map[string]int{}
	}
	c.fields, c.writes, c.wrote = fields, 0, now
	for _, f := range fields {
		undone[f]++
		c.writes = max(c.writes, undone[f])
	}
	c.undone = undone
	if c.writes >= contestThreshold {
		c.pause = min(max(2*c.pause, firstPause), longestPause)
	}
	return c
}

// active reports whether the contest goes on: the last write has not stayed for long
// enough.
func (c contest) active(now time.Time) bool {
	return c.pause > 0 && now.Before(c.wrote.Add(2*c.pause+time.Minute))
}

// report returns the contest for an observation.
func (c contest) report(object string) ecp.Contest {
	fields := slices.DeleteFunc(slices.Clone(c.fields), func(f string) bool { return f == gone })
	return ecp.Contest{Object: object, Fields: fields, Manager: c.by, Writes: c.writes, Rest: c.pause}
}

// activeContests returns the contests of a cluster that go on.
func (p *Provisioner) activeContests(id ecp.ID, rendered []object) []ecp.Contest {
	var out []ecp.Contest
	now := time.Now()
	p.withMemo(id, func(m *memo) {
		for _, o := range rendered {
			if c := m.contests[o.String()]; c.hash == o.hash() && c.active(now) {
				out = append(out, c.report(o.String()))
			}
		}
	})
	return out
}

// contestOf returns the contest of an object.
func (p *Provisioner) contestOf(id ecp.ID, o object) (c contest) {
	p.withMemo(id, func(m *memo) { c = m.contests[o.String()] })
	return c
}

// recordContest records that an object is written because of some fields, and logs it if
// that is a contest.
func (p *Provisioner) recordContest(ctx context.Context, id ecp.ID, o object, fields []string) {
	if len(fields) == 0 {
		return
	}
	c := p.contestOf(id, o).next(time.Now(), o.hash(), fields)
	if c.pause > 0 {
		if by := p.otherManager(ctx, id, o, fields); by != "" && !slices.Contains(fields, gone) {
			c.by = by
		}
		p.cfg.Logger.WarnContext(ctx, "somebody else keeps changing what OpenECP writes; it waits before it writes "+
			"that again",
			"cluster", id, "object", o.String(), "fields", fields, "manager", c.by, "writes", c.writes, "wait", c.pause)
	}
	p.withMemo(id, func(m *memo) {
		m.contests[o.String()] = c
		if slices.Contains(fields, gone) {
			delete(m.checked, o.String()) // that it was removed is counted once
		}
	})
}

// otherManager returns the other manager of fields, or an empty string if it is not known.
func (p *Provisioner) otherManager(ctx context.Context, id ecp.ID, o object, fields []string) string {
	row := kinds[o.kind]
	r := row.client(p.client).Get().Resource(row.resource).Name(o.name)
	if o.kind != kindNamespace {
		r.Namespace(string(id))
	}
	l := row.empty()
	if p.send(ctx, r, l) != nil {
		return ""
	}
	return managerOf(l.GetManagedFields(), fields)
}

// managerOf returns the other field manager of one of some fields. If they were removed,
// so that they have no manager, it returns the one that wrote last. Writes of the status
// do not count.
func managerOf(entries []metav1.ManagedFieldsEntry, fields []string) string {
	last, at := "", time.Time{}
	for _, e := range entries {
		if e.Manager == fieldManager || e.Subresource != "" || e.FieldsV1 == nil {
			continue
		}
		var tree map[string]any
		if json.Unmarshal(e.FieldsV1.Raw, &tree) != nil {
			continue
		}
		if slices.ContainsFunc(fields, func(f string) bool { return hasPath(tree, strings.Split(f, ".")) }) {
			return e.Manager
		}
		if e.Time != nil && e.Time.After(at) {
			last, at = e.Manager, e.Time.Time
		}
	}
	return last
}

// hasPath reports whether a tree of managed fields has a path. Names in the path may
// contain dots, and an element of a list is found under its keys.
func hasPath(tree map[string]any, path []string) bool {
	if len(path) == 0 {
		return true
	}
	for i := 1; i <= len(path); i++ {
		if inner, ok := tree["f:"+strings.Join(path[:i], ".")].(map[string]any); ok && hasPath(inner, path[i:]) {
			return true
		}
	}
	for key, value := range tree {
		if inner, ok := value.(map[string]any); ok && strings.HasPrefix(key, "k:") && hasPath(inner, path) {
			return true
		}
	}
	return false
}

// fieldsOf returns the paths of differences, without kind and value.
func fieldsOf(differences []string) []string {
	var out []string
	for _, d := range differences {
		path, _, _ := strings.Cut(d, "=")
		_, path, _ = strings.Cut(path, ".")
		if !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	return out
}
