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

// maxRules is how many rules are read.
const maxRules = 100_000

// rule is a rule of the rule engine.
type rule struct {
	ID          emqxhttp.Text    `json:"id"`
	SQL         emqxhttp.Text    `json:"rawsql"`
	Topics      topics           `json:"for"`
	Enabled     flag             `json:"enabled"`
	Description emqxhttp.Message `json:"description"`
	Created     emqxhttp.Count   `json:"created_at"` // milliseconds; the documents say microseconds
	Actions     []action         `json:"actions"`
}

// action is an action of a rule: it uses a resource, or is a function of the broker such as
// "republish". Fallbacks are used when it fails.
type action struct {
	Name      emqxhttp.Message `json:"name"`
	Fallbacks []action         `json:"fallbacks"`
	Params    struct {
		Resource emqxhttp.Text `json:"$resource"`
	} `json:"params"`
}

// actionTargets returns the resources and functions of actions, each once.
func actionTargets(actions []action) []string {
	var out []string
	for _, a := range actions {
		for _, name := range append([]string{cmp.Or(string(a.Params.Resource), string(a.Name))},
			actionTargets(a.Fallbacks)...) {
			if name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// topics is a list of topics and events, or a single one.
type topics []string

// UnmarshalJSON never fails.
func (t *topics) UnmarshalJSON(b []byte) error {
	var list []emqxhttp.Text
	if json.Unmarshal(b, &list) != nil {
		var one emqxhttp.Text
		_ = json.Unmarshal(b, &one) // never fails
		list = []emqxhttp.Text{one}
	}
	for _, w := range list {
		if w != "" {
			*t = append(*t, string(w))
		}
	}
	return nil
}

func (r rule) toRule() ecp.Rule {
	return ecp.Rule{
		ID: string(r.ID), Name: string(r.ID), Description: string(r.Description), SQL: string(r.SQL), Topics: r.Topics,
		Actions: actionTargets(r.Actions), Running: bool(r.Enabled), Created: timeOf(int64(r.Created)),
	}
}

// decodeRules reads a page of rules with its envelope. A field of an unexpected type is
// left out, but its rule is kept.
func decodeRules(body []byte) (emqxhttp.Page[rule], error) {
	items, more, err := emqxhttp.DecodePage[json.RawMessage](body)
	if err != nil {
		return emqxhttp.Page[rule]{}, err
	}
	p := emqxhttp.Page[rule]{More: more}
	for _, raw := range items {
		var r rule
		_ = json.Unmarshal(raw, &r) // it is valid JSON, and what fits is used
		if r.ID != "" {
			p.Items = append(p.Items, r)
		}
	}
	return p, nil
}

// Rules reads all pages.
func (b *broker) Rules(ctx context.Context) ([]ecp.Rule, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return ofAllMembers(ctx, b, b.rules)
}

func (b *broker) rules(ctx context.Context) ([]ecp.Rule, error) {
	all, _, err := emqxhttp.Pages(ctx, maxRules, func(ctx context.Context, number int) (emqxhttp.Page[rule], error) {
		c := get(rulesPath, ruleEngine)
		c.keepEnvelope = true
		c.Query = url.Values{"_page": {strconv.Itoa(number)}, "_limit": {strconv.Itoa(emqxhttp.PageSize)}}
		return query(ctx, b, c, decodeRules)
	})
	if err != nil {
		return nil, err
	}
	byID := map[string]ecp.Rule{} // a rule may be on two pages if the list changes meanwhile
	for _, r := range all {
		byID[string(r.ID)] = r.toRule()
	}
	out := make([]ecp.Rule, 0, len(byID))
	for _, r := range byID {
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y ecp.Rule) int { return strings.Compare(x.ID, y.ID) })
	return out, nil
}
