package fleet

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
)

// ListOptions selects and sorts clusters. Zero values select all, in the order
// of their ids.
type ListOptions struct {
	Project    string
	Mode       ecp.Mode
	State      ecp.State
	Version    string // as wanted, or of adopted clusters as reported; exactly
	Query      string // part of the name or the id, in any case
	Sort       SortKey
	Descending bool
	Cursor     string // Next of the page before, with the same Sort
	Limit      int    // 0 = 50; at most [ecp.ListLimit]
}

// Page is a part of a list.
type Page struct {
	Items []ecp.Info
	Next  string // Cursor of the next page; "" = this was the last
}

// cursor is the place a page ends at: behind what was the last item's value
// then. A cluster that moves meanwhile is seen where it moved to; none of those
// that stay is left out or seen twice.
type cursor struct {
	Sort       SortKey `json:"s,omitempty"`
	Descending bool    `json:"d,omitempty"`
	Value      string  `json:"v,omitempty"`
	ID         ecp.ID  `json:"i"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) //nolint:errchkjson // strings only
	return base64.RawURLEncoding.EncodeToString(b)
}

// openCursor reads a cursor; the zero one for "".
func (o ListOptions) openCursor() (c cursor, err error) {
	if o.Cursor == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(o.Cursor)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || !c.ID.Valid() || c.Sort != o.Sort || c.Descending != o.Descending {
		return c, &ecp.Error{Code: ecp.CodeInvalid, Message: "the request is not valid", Fields: []ecp.FieldError{{Field: "cursor", Message: "is not the next of a page of this list; begin without it"}}}
	}
	return c, nil
}

// Clusters lists the clusters the actor may read.
func (m *Manager) Clusters(ctx context.Context, o ListOptions) (Page, error) {
	const op = "list clusters"
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return Page{}, err
	}
	if o.Limit <= 0 {
		o.Limit = 50
	}
	o.Limit = min(o.Limit, ecp.ListLimit)
	if o.Sort == "" {
		o.Sort = SortID
	}
	value := sortValues[o.Sort]
	if value == nil {
		return Page{}, &ecp.Error{Code: ecp.CodeInvalid, Op: op, Message: "the request is not valid", Fields: []ecp.FieldError{{Field: "sort", Message: fmt.Sprintf("is %q; allowed are %v", o.Sort, SortKeys())}}}
	}
	at, err := o.openCursor()
	if err != nil {
		return Page{}, ecp.WrapError(op, err, "", "")
	}
	all, err := m.roster.order(ctx, m.store, o.Sort)
	if err != nil {
		return Page{}, ecp.WrapError(op, err, "", "")
	}
	if o.Sort == SortNodes {
		all = m.withNodesReported(all)
	}
	found := walk{all: all, value: value, down: o.Descending, after: at}.collect(o.Limit+1, o.filter(actor))
	page := Page{Items: []ecp.Info{}}
	if len(found) > o.Limit {
		found = found[:o.Limit]
		last := found[o.Limit-1]
		page.Next = cursor{o.Sort, o.Descending, value(last), last.id}.String()
	}
	page.Items, err = m.infos(ctx, actor, found)
	if err != nil {
		return Page{}, ecp.WrapError(op, err, "", "")
	}
	return page, nil
}

// withNodesReported sorts clusters by their number of nodes, those of adopted ones as
// agents report them now: they are not stored, so that the list is sorted anew.
func (m *Manager) withNodesReported(all []*listed) []*listed {
	if !slices.ContainsFunc(all, func(l *listed) bool { return l.mode == ecp.Adopted }) {
		return all
	}
	of := make(map[ecp.ID]*listed, len(all))
	for _, l := range all {
		if l.mode == ecp.Adopted {
			seen := *l
			seen.nodes = nodesReported(m.observe(l.id).Agents)
			l = &seen
		}
		of[l.id] = l
	}
	return sortListed(of, sortValues[SortNodes])
}

// filter says which clusters an actor is shown.
func (o ListOptions) filter(actor ecp.Actor) func(*listed) bool {
	q := strings.ToLower(o.Query)
	may := map[string]bool{}
	return func(l *listed) bool {
		if o.Project != "" && l.project != o.Project || o.Mode != "" && l.mode != o.Mode || o.State != "" && l.state != o.State ||
			o.Version != "" && l.version != o.Version || q != "" && !strings.Contains(l.name, q) && !strings.Contains(string(l.id), q) {
			return false
		}
		yes, asked := may[l.project]
		if !asked {
			yes = actor.May(ecp.RightRead, l.project)
			may[l.project] = yes
		}
		return yes
	}
}

// walk goes through a sorted list in either direction from behind a cursor on.
type walk struct {
	all   []*listed
	value func(*listed) string
	down  bool
	after cursor
}

func (w walk) collect(limit int, match func(*listed) bool) []*listed {
	var out []*listed
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
	behind := func(l *listed) bool { // in ascending order
		v := w.value(l)
		return v > w.after.Value || v == w.after.Value && l.id > w.after.ID
	}
	if !w.down {
		return sort.Search(len(w.all), func(i int) bool { return behind(w.all[i]) })
	}
	notBefore := func(l *listed) bool {
		v := w.value(l)
		return v > w.after.Value || v == w.after.Value && l.id >= w.after.ID
	}
	return sort.Search(len(w.all), func(i int) bool { return notBefore(w.all[i]) }) - 1
}

// infos reads clusters. Who may see what is asked again of what is stored; a
// cluster that has gone meanwhile is left out.
func (m *Manager) infos(ctx context.Context, actor ecp.Actor, found []*listed) ([]ecp.Info, error) {
	var out []ecp.Info
	err := m.store.Read(ctx, func(tx ecp.Tx) error {
		out = make([]ecp.Info, 0, len(found))
		for _, l := range found {
			rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(l.id))
			if errors.Is(err, ecp.ErrNotFound) || (err == nil && !actor.May(ecp.RightRead, rec.Project)) {
				continue
			}
			if err != nil {
				return err
			}
			out = append(out, m.info(rec))
		}
		return nil
	})
	return out, err
}

// CountByState counts the clusters the actor may read, for metrics. States no
// cluster is in are left out.
func (m *Manager) CountByState(ctx context.Context) (map[ecp.Mode]map[ecp.State]int, error) {
	const op = "count clusters"
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return nil, err
	}
	all, err := m.roster.all(ctx, m.store)
	if err != nil {
		return nil, ecp.WrapError(op, err, "", "")
	}
	counts := map[ecp.Mode]map[ecp.State]int{ecp.Hosted: {}, ecp.Adopted: {}}
	seen := ListOptions{}.filter(actor)
	for _, l := range all {
		if seen(l) {
			counts[l.mode][l.state]++
		}
	}
	return counts, nil
}
