package emqxv5

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// maxRules is how many rules are read.
const maxRules = 20_000

// Rules lists the rules. With namespaces (6.x) it lists those that the credentials may see.
func (b *broker) Rules(ctx context.Context) ([]ecp.Rule, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	rules, whole, err := pages(ctx, b, rulesPath, nil, maxRules, decodeRules)
	if err == nil && !whole {
		err = b.client.Fail(ecp.CodeUnavailable, fmt.Sprintf("has more than %d rules, or its list "+
			"does not end", maxRules),
			nil)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rules, func(a, b ecp.Rule) int { return strings.Compare(a.ID, b.ID) })
	// A rule may be on two pages.
	return slices.CompactFunc(rules, func(a, b ecp.Rule) bool { return a.ID == b.ID }), nil
}

// rule is an entry of /rules.
type rule struct {
	ID          emqxhttp.Text    `json:"id"`
	Name        emqxhttp.Text    `json:"name"`
	Description emqxhttp.Text    `json:"description"`
	SQL         emqxhttp.Text    `json:"sql"`
	From        []emqxhttp.Text  `json:"from"`
	Actions     []ruleAction     `json:"actions"`
	Enable      any              `json:"enable"`
	Created     emqxhttp.Message `json:"created_at"` // RFC 3339
}

// ruleAction is the id of an action, "type:name", or the name of a function of EMQX, which
// is written as an object.
type ruleAction string

// UnmarshalJSON never fails.
func (a *ruleAction) UnmarshalJSON(b []byte) error {
	var object struct {
		Function string `json:"function"`
		Type     string `json:"type"`
		Name     string `json:"name"`
	}
	var id string
	switch {
	case json.Unmarshal(b, &id) == nil:
		*a = ruleAction(id)
	case json.Unmarshal(b, &object) == nil && object.Function != "":
		*a = ruleAction(object.Function)
	case object.Type != "" && object.Name != "":
		*a = ruleAction(object.Type + ":" + object.Name)
	}
	return nil
}

// decodeRules reads a page of /rules.
func decodeRules(body []byte) (emqxhttp.Page[ecp.Rule], error) {
	rules, more, err := emqxhttp.DecodePage[rule](body)
	p := emqxhttp.Page[ecp.Rule]{More: more}
	for _, r := range rules {
		if r.ID == "" {
			return emqxhttp.Page[ecp.Rule]{}, errNoID
		}
		out := ecp.Rule{
			ID: string(r.ID), Name: string(r.Name), Description: string(r.Description), SQL: string(r.SQL),
			Running: r.Enable != false && r.Enable != "false", Created: timeOf(r.Created), Topics: texts(r.From),
		}
		for _, a := range r.Actions {
			if a != "" {
				out.Actions = append(out.Actions, string(a))
			}
		}
		p.Items = append(p.Items, out)
	}
	return p, err
}

func texts(all []emqxhttp.Text) []string {
	var out []string
	for _, w := range all {
		if w != "" {
			out = append(out, string(w))
		}
	}
	return out
}
