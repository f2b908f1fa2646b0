package emqxv4

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// mostRules is how many rules are read.
const mostRules = 100_000

// rule is one of the rule engine's.
type rule struct {
	ID          plain          `json:"id"`
	SQL         plain          `json:"rawsql"`
	Topics      topics         `json:"for"`
	Enabled     flag           `json:"enabled"`
	Description emqxhttp.Words `json:"description"`
	Created     emqxhttp.Count `json:"created_at"` // milliseconds; the documents say microseconds
	Actions     []action       `json:"actions"`
}

// action is what a rule does: it sends to a resource, or is a function of the
// broker's own such as "republish". Fallbacks are done where it fails.
type action struct {
	Name      emqxhttp.Words `json:"name"`
	Fallbacks []action       `json:"fallbacks"`
	Params    struct {
		Resource plain `json:"$resource"`
	} `json:"params"`
}

// leadsTo are the resources and functions of actions, each once.
func leadsTo(actions []action) []string {
	var out []string
	for _, a := range actions {
		for _, name := range append([]string{cmp.Or(string(a.Params.Resource), string(a.Name))}, leadsTo(a.Fallbacks)...) {
			if name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// topics are a list of topics and events, or a single one.
type topics []string

// UnmarshalJSON never fails.
func (t *topics) UnmarshalJSON(b []byte) error {
	var list []plain
	if json.Unmarshal(b, &list) != nil {
		var one plain
		_ = json.Unmarshal(b, &one) // never fails
		list = []plain{one}
	}
	for _, w := range list {
		if w != "" {
			*t = append(*t, string(w))
		}
	}
	return nil
}

func (r rule) domain() ecp.Rule {
	return ecp.Rule{
		ID: string(r.ID), Name: string(r.ID), Description: string(r.Description), SQL: string(r.SQL), Topics: r.Topics,
		Actions: leadsTo(r.Actions), Running: bool(r.Enabled), Created: moment(int64(r.Created)),
	}
}

// decodeRules reads a page of rules, envelope included. A part that is of
// another type than it should be is left out, not its rule.
func decodeRules(body []byte) (page[rule], error) {
	items, more, err := emqxhttp.DecodePage[json.RawMessage](body)
	if err != nil {
		return page[rule]{}, err
	}
	p := page[rule]{more: more}
	for _, raw := range items {
		var r rule
		_ = json.Unmarshal(raw, &r) // it is JSON, and what fits is taken
		if r.ID != "" {
			p.items = append(p.items, r)
		}
	}
	return p, nil
}

// page is a part of a list, and whether more follow.
type page[T any] struct {
	items []T
	more  bool
}

// Rules walks through the pages.
func (b *broker) Rules(ctx context.Context) ([]ecp.Rule, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return ofAll(ctx, b, b.rules)
}

func (b *broker) rules(ctx context.Context) ([]ecp.Rule, error) {
	all, _, err := emqxhttp.Pages(ctx, mostRules, func(ctx context.Context, number int) ([]rule, bool, error) {
		c := get(rulesPath, ruleEngine)
		c.whole = true
		c.Query = url.Values{"_page": {strconv.Itoa(number)}, "_limit": {strconv.Itoa(emqxhttp.PageSize)}}
		p, err := ask(ctx, b, c, decodeRules)
		return p.items, p.more, err
	})
	if err != nil {
		return nil, err
	}
	byID := map[string]ecp.Rule{} // a page may repeat what moved while it was turned
	for _, r := range all {
		byID[string(r.ID)] = r.domain()
	}
	out := make([]ecp.Rule, 0, len(byID))
	for _, r := range byID {
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y ecp.Rule) int { return strings.Compare(x.ID, y.ID) })
	return out, nil
}
