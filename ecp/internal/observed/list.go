package observed

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// cursor is the place a page ends at: behind what was the last item's value
// then. A cluster that moves meanwhile is seen where it moved to; none of those
// that stay is left out or seen twice.
type cursor struct {
	Sort       ecp.SortKey `json:"s,omitempty"`
	Descending bool        `json:"d,omitempty"`
	Value      string      `json:"v,omitempty"`
	ID         ecp.ID      `json:"i"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) //nolint:errchkjson // strings only
	return base64.RawURLEncoding.EncodeToString(b)
}

// openCursor reads a cursor; the zero one for "".
func openCursor(o ecp.ListOptions) (c cursor, err error) {
	if o.Cursor == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(o.Cursor)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || !c.ID.Valid() || c.Sort != o.Sort || c.Descending != o.Descending {
		return c, &ecp.Error{Code: ecp.CodeInvalid, Message: "the request is not valid",
			Fields: []ecp.FieldError{{Field: "cursor",
				Message: "is not the next of a page of this list; begin without it"}}}
	}
	return c, nil
}

// List lists the clusters the actor may read.
func (m *Clusters) List(ctx context.Context, o ecp.ListOptions) (ecp.Page, error) {
	const op = "list clusters"
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return ecp.Page{}, err
	}
	if o.Limit <= 0 {
		o.Limit = 50
	}
	o.Limit = min(o.Limit, ecp.MaxListLimit)
	if o.Sort == "" {
		o.Sort = ecp.SortID
	}
	value := sortValues[o.Sort]
	if value == nil {
		return ecp.Page{}, &ecp.Error{Code: ecp.CodeInvalid, Op: op, Message: "the request is not valid",
			Fields: []ecp.FieldError{{Field: "sort",
				Message: fmt.Sprintf("is %q; allowed are %v", o.Sort, ecp.SortKeys())}}}
	}
	at, err := openCursor(o)
	if err != nil {
		return ecp.Page{}, fault.Wrap(op, err)
	}
	all, err := m.Order(ctx, o.Sort)
	if err != nil {
		return ecp.Page{}, fault.Wrap(op, err)
	}
	if o.Sort == ecp.SortNodes {
		all = m.withNodesReported(all)
	}
	found := walk{all: all, value: value, down: o.Descending, after: at}.collect(o.Limit+1, Filter(o, actor))
	page := ecp.Page{Items: []ecp.Info{}}
	if len(found) > o.Limit {
		found = found[:o.Limit]
		last := found[o.Limit-1]
		page.Next = cursor{o.Sort, o.Descending, value(last), last.ID}.String()
	}
	page.Items, err = m.infos(ctx, actor, found)
	if err != nil {
		return ecp.Page{}, fault.Wrap(op, err)
	}
	return page, nil
}

// withNodesReported sorts clusters by their number of nodes, those of adopted ones as
// agents report them now: they are not stored, so that the list is sorted anew.
func (m *Clusters) withNodesReported(all []*Entry) []*Entry {
	if !slices.ContainsFunc(all, func(l *Entry) bool { return l.Mode == ecp.Adopted }) {
		return all
	}
	of := make(map[ecp.ID]*Entry, len(all))
	for _, l := range all {
		if l.Mode == ecp.Adopted {
			seen := *l
			seen.Nodes = nodesReported(m.Observe(l.ID).Agents)
			l = &seen
		}
		of[l.ID] = l
	}
	return sortListed(of, sortValues[ecp.SortNodes])
}

// Filter says which clusters an actor is shown.
func Filter(o ecp.ListOptions, actor ecp.Actor) func(*Entry) bool {
	q := strings.ToLower(o.Query)
	may := map[string]bool{}
	return func(l *Entry) bool {
		if o.Project != "" && l.Project != o.Project || o.Mode != "" && l.Mode != o.Mode || o.State != "" &&
			l.State != o.State ||
			o.Version != "" && l.Version != o.Version || q != "" && !strings.Contains(l.lowerName, q) &&
			!strings.Contains(string(l.ID), q) {
			return false
		}
		yes, asked := may[l.Project]
		if !asked {
			yes = actor.May(ecp.RightRead, l.Project)
			may[l.Project] = yes
		}
		return yes
	}
}

// walk goes through a sorted list in either direction from behind a cursor on.
type walk struct {
	all   []*Entry
	value func(*Entry) string
	down  bool
	after cursor
}

func (w walk) collect(limit int, match func(*Entry) bool) []*Entry {
	var out []*Entry
	step, at := 1, 0
	if w.down {
		step, at = -1, len(w.all)-1
	}
	if w.after.ID != "" {
		at = w.begin()
	}
	for ; at >= 0 && at < len(w.all) && len(out) < limit; at += step {
		if match(w.all[at]) {
			out = append(out, w.all[at])
		}
	}
	return out
}

// begin is the first place behind the cursor.
func (w walk) begin() int {
	behind := func(l *Entry) bool { // in ascending order
		v := w.value(l)
		return v > w.after.Value || v == w.after.Value && l.ID > w.after.ID
	}
	if !w.down {
		return sort.Search(len(w.all), func(i int) bool { return behind(w.all[i]) })
	}
	notBefore := func(l *Entry) bool {
		v := w.value(l)
		return v > w.after.Value || v == w.after.Value && l.ID >= w.after.ID
	}
	return sort.Search(len(w.all), func(i int) bool { return notBefore(w.all[i]) }) - 1
}

// infos reads clusters. Who may see what is asked again of what is stored; a
// cluster that has gone meanwhile is left out.
func (m *Clusters) infos(ctx context.Context, actor ecp.Actor, found []*Entry) ([]ecp.Info, error) {
	var out []ecp.Info
	err := m.Store.Read(ctx, func(tx ecp.Tx) error {
		out = make([]ecp.Info, 0, len(found))
		for _, l := range found {
			rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(l.ID))
			if errors.Is(err, ecp.ErrNotFound) || (err == nil && !actor.May(ecp.RightRead, rec.Project)) {
				continue
			}
			if err != nil {
				return err
			}
			out = append(out, m.Info(rec))
		}
		return nil
	})
	return out, err
}

// CountByState counts the clusters the actor may read, for metrics. States no
// cluster is in are left out.
func (m *Clusters) CountByState(ctx context.Context) (map[ecp.Mode]map[ecp.State]int, error) {
	const op = "count clusters"
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return nil, err
	}
	all, err := m.All(ctx)
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	counts := map[ecp.Mode]map[ecp.State]int{ecp.Hosted: {}, ecp.Adopted: {}}
	seen := Filter(ecp.ListOptions{}, actor)
	for _, l := range all {
		if seen(l) {
			counts[l.Mode][l.State]++
		}
	}
	return counts, nil
}

// Order returns the entries of all clusters in the order of a key, for whoever filters
// them. The list is shared: it must not be changed.
func (m *Clusters) Order(ctx context.Context, by ecp.SortKey) ([]*Entry, error) {
	return m.index.order(ctx, m.Store, by)
}

// All returns the entries of all clusters, in no order.
func (m *Clusters) All(ctx context.Context) ([]*Entry, error) { return m.index.all(ctx, m.Store) }
