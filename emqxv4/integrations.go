package emqxv4

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// decodeResources reads the data of /resources: what is connected outside, and
// whether it is alive on all nodes. Configurations, which hold passwords, are
// not read.
func decodeResources(data []byte) ([]ecp.Integration, error) {
	var list []struct {
		ID          plain           `json:"id"`
		Type        emqxhttp.Words  `json:"type"`
		Description emqxhttp.Words  `json:"description"`
		Status      json.RawMessage `json:"status"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	out := make([]ecp.Integration, 0, len(list))
	for _, r := range list {
		if r.ID == "" {
			continue
		}
		status, told := aliveness[string(r.Status)]
		if !told {
			status = ecp.IntegrationUnknown
		}
		out = append(out, ecp.Integration{
			Kind: ecp.ResourceIntegration, ID: string(r.ID), Name: string(r.ID), Type: string(r.Type),
			Description: string(r.Description), Enabled: true, Status: status,
		})
	}
	return out, nil
}

// decodeResourceNodes reads how a resource is on each node from the data of
// /resources/{id}.
func decodeResourceNodes(data []byte) ([]ecp.IntegrationNode, error) {
	var r struct {
		Status []struct {
			Node  plain           `json:"node"`
			Alive json.RawMessage `json:"is_alive"`
		} `json:"status"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	var out []ecp.IntegrationNode
	for _, n := range r.Status {
		if n.Node == "" {
			continue
		}
		status, told := aliveness[string(n.Alive)]
		if !told {
			status = ecp.IntegrationUnknown
		}
		out = append(out, ecp.IntegrationNode{Node: string(n.Node), Status: status})
	}
	slices.SortFunc(out, func(x, y ecp.IntegrationNode) int { return strings.Compare(x.Node, y.Node) })
	return out, nil
}

// aliveness is what the broker says of a resource in the domain's words.
var aliveness = map[string]ecp.IntegrationStatus{
	"true": ecp.IntegrationConnected, `"true"`: ecp.IntegrationConnected,
	"false": ecp.IntegrationDisconnected, `"false"`: ecp.IntegrationDisconnected,
}

// Integrations lists the resources, with how each is on each node and which
// rules use it as far as that comes within half of the time.
func (b *broker) Integrations(ctx context.Context) ([]ecp.Integration, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	all, err := ofAll(ctx, b, func(ctx context.Context) ([]ecp.Integration, error) {
		return ask(ctx, b, get(resourcesPath, ruleEngine), decodeResources)
	})
	if err != nil {
		return nil, err
	}
	b.client.Optional(ctx, "rules that use resources", func(ctx context.Context) error {
		rules, err := b.rules(ctx)
		for i := range all {
			all[i].Rules = usersOf(all[i].ID, rules)
		}
		return err
	})
	b.client.Optional(ctx, "resources on each node", func(ctx context.Context) error {
		errs := make([]error, len(all))
		emqxhttp.Abreast(len(all), func(i int) { errs[i] = b.onNodes(ctx, &all[i]) })
		return cmp.Or(errs...)
	})
	if err := b.client.Ended(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y ecp.Integration) int { return strings.Compare(x.ID, y.ID) })
	return all, nil
}

// usersOf are the ids of the rules that use a resource.
func usersOf(id string, rules []ecp.Rule) []string {
	var out []string
	for _, r := range rules {
		if slices.Contains(r.Actions, id) {
			out = append(out, r.ID)
		}
	}
	return out
}

// onNodes fills in how a resource is on each node, and in all.
func (b *broker) onNodes(ctx context.Context, r *ecp.Integration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	nodes, err := ask(ctx, b, get(resourcesPath+"/"+emqxhttp.Segment(r.ID), ruleEngine), decodeResourceNodes)
	if err != nil || len(nodes) == 0 {
		return err
	}
	r.Nodes, r.Status = nodes, nodes[0].Status
	for _, n := range nodes {
		if n.Status != r.Status {
			r.Status = ecp.IntegrationInconsistent
		}
	}
	return nil
}
