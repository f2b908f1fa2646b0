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

// decodeResources reads the data of /resources, with whether each is alive on all nodes. It
// does not read configurations, which contain passwords.
func decodeResources(data []byte) ([]ecp.Integration, error) {
	var list []struct {
		ID          emqxhttp.Text    `json:"id"`
		Type        emqxhttp.Message `json:"type"`
		Description emqxhttp.Message `json:"description"`
		Status      json.RawMessage  `json:"status"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	out := make([]ecp.Integration, 0, len(list))
	for _, r := range list {
		if r.ID == "" {
			continue
		}
		status, told := aliveStatus[string(r.Status)]
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

// decodeResourceNodes reads the state of a resource on each node from the data of
// /resources/{id}.
func decodeResourceNodes(data []byte) ([]ecp.IntegrationNode, error) {
	var r struct {
		Status []struct {
			Node  emqxhttp.Text   `json:"node"`
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
		status, told := aliveStatus[string(n.Alive)]
		if !told {
			status = ecp.IntegrationUnknown
		}
		out = append(out, ecp.IntegrationNode{Node: string(n.Node), Status: status})
	}
	slices.SortFunc(out, func(x, y ecp.IntegrationNode) int { return strings.Compare(x.Node, y.Node) })
	return out, nil
}

// aliveStatus maps the broker's values to statuses.
var aliveStatus = map[string]ecp.IntegrationStatus{
	"true": ecp.IntegrationConnected, `"true"`: ecp.IntegrationConnected,
	"false": ecp.IntegrationDisconnected, `"false"`: ecp.IntegrationDisconnected,
}

// Integrations lists the resources. Their state on each node and the rules that use them
// are included as far as these queries end within half of the time.
func (b *broker) Integrations(ctx context.Context) ([]ecp.Integration, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	all, err := ofAllMembers(ctx, b, func(ctx context.Context) ([]ecp.Integration, error) {
		return query(ctx, b, get(resourcesPath, ruleEngine), decodeResources)
	})
	if err != nil {
		return nil, err
	}
	b.client.Optional(ctx, "rules that use resources", func(ctx context.Context) error {
		rules, err := b.rules(ctx)
		for i := range all {
			all[i].Rules = rulesUsing(all[i].ID, rules)
		}
		return err
	})
	b.client.Optional(ctx, "resources on each node", func(ctx context.Context) error {
		errs := make([]error, len(all))
		emqxhttp.Parallel(len(all), func(i int) { errs[i] = b.addNodeStatus(ctx, &all[i]) })
		return cmp.Or(errs...)
	})
	if err := b.client.CallerGone(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y ecp.Integration) int { return strings.Compare(x.ID, y.ID) })
	return all, nil
}

// rulesUsing returns the ids of the rules that use a resource.
func rulesUsing(id string, rules []ecp.Rule) []string {
	var out []string
	for _, r := range rules {
		if slices.Contains(r.Actions, id) {
			out = append(out, r.ID)
		}
	}
	return out
}

// addNodeStatus adds the state of a resource on each node, and derives its state over all.
func (b *broker) addNodeStatus(ctx context.Context, r *ecp.Integration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	nodes, err := query(ctx, b, get(resourcesPath+"/"+emqxhttp.Segment(r.ID), ruleEngine), decodeResourceNodes)
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
