package emqxv5

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Integrations lists connectors, actions and sources. It does not use the shorter lists
// actions_summary and sources_summary of 5.8.5 and later, since they lack the connector.
func (b *broker) Integrations(ctx context.Context) ([]ecp.Integration, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	all, err := ofAllMembers(ctx, b, b.integrations)
	if err != nil {
		return nil, err
	}
	linkConnectors(all)
	slices.SortStableFunc(all, func(a, b ecp.Integration) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

// integrations queries the three lists.
func (b *broker) integrations(ctx context.Context) (all []ecp.Integration, err error) {
	for _, list := range []struct {
		path string
		kind ecp.IntegrationKind
	}{{connectorPath, ecp.ConnectorIntegration}, {actionPath, ecp.ActionIntegration},
		{sourcePath, ecp.SourceIntegration}} {
		part, err := query(ctx, b, emqxhttp.Request{Path: list.path}, func(body []byte) ([]ecp.Integration, error) {
			return decodeIntegrations(body, list.kind)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

// integration is an entry of /connectors, /actions and /sources, without its configuration.
type integration struct {
	Type         emqxhttp.Text    `json:"type"`
	Name         emqxhttp.Text    `json:"name"`
	Description  emqxhttp.Text    `json:"description"`
	Enable       any              `json:"enable"`
	Status       emqxhttp.Message `json:"status"`
	StatusReason emqxhttp.Message `json:"status_reason"`
	Error        emqxhttp.Message `json:"error"` // of actions and sources; like status_reason
	Nodes        []nodeStatus     `json:"node_status"`
	Connector    emqxhttp.Text    `json:"connector"` // its name without the type
	Rules        []emqxhttp.Text  `json:"rules"`
}

type nodeStatus struct {
	Node         emqxhttp.Text    `json:"node"`
	Status       emqxhttp.Message `json:"status"`
	StatusReason emqxhttp.Message `json:"status_reason"`
}

var errNoID = errors.New("an entry has no type, name or id")

// decodeIntegrations reads one of the three lists, which are bare arrays. It leaves the
// connector of an action as a name; see linkConnectors.
func decodeIntegrations(body []byte, kind ecp.IntegrationKind) ([]ecp.Integration, error) {
	entries, _, err := emqxhttp.DecodePage[integration](body)
	if err != nil {
		return nil, err
	}
	var all []ecp.Integration
	for _, e := range entries {
		if e.Type == "" || e.Name == "" {
			return nil, errNoID
		}
		i := ecp.Integration{
			Kind: kind, ID: string(e.Type + ":" + e.Name), Type: string(e.Type), Name: string(e.Name),
			Description: string(e.Description),
			Enabled:     e.Enable != false && e.Enable != "false", Status: statusOf(e.Status),
			Connector: string(e.Connector),
			Rules:     texts(e.Rules),
		}
		i.Reason = reason(i.Status, cmp.Or(e.StatusReason, e.Error))
		for _, n := range e.Nodes {
			s := statusOf(n.Status)
			i.Nodes = append(i.Nodes, ecp.IntegrationNode{
				Node: string(n.Node), Status: s, Reason: reason(s, n.StatusReason),
			})
		}
		slices.SortFunc(i.Nodes, func(a, b ecp.IntegrationNode) int { return strings.Compare(a.Node, b.Node) })
		slices.Sort(i.Rules)
		all = append(all, i)
	}
	return all, nil
}

// statuses are EMQX's words, which ecp has, too.
var statuses = map[string]ecp.IntegrationStatus{
	"connected":    ecp.IntegrationConnected,
	"connecting":   ecp.IntegrationConnecting,
	"disconnected": ecp.IntegrationDisconnected,
	"inconsistent": ecp.IntegrationInconsistent,
	"stopped":      ecp.IntegrationStopped,
}

// statusOf returns the status for a word. It is unknown for any other word.
func statusOf(word emqxhttp.Message) ecp.IntegrationStatus {
	return cmp.Or(statuses[strings.ToLower(string(word))], ecp.IntegrationUnknown)
}

// reason returns why an integration is not connected.
func reason(s ecp.IntegrationStatus, word emqxhttp.Message) string {
	if s == ecp.IntegrationConnected {
		return ""
	}
	return string(word)
}

// linkConnectors replaces the names of connectors by their ids, and adds to each connector
// the rules that use it through its actions and sources. Usually a connector has the type
// of its action. If there is no connector of that type, the name decides.
func linkConnectors(all []ecp.Integration) {
	byID, byName := map[string]*ecp.Integration{}, map[string]*ecp.Integration{}
	for i := range all {
		if all[i].Kind == ecp.ConnectorIntegration {
			byID[all[i].ID], byName[all[i].Name] = &all[i], &all[i]
		}
	}
	for i := range all {
		user := &all[i]
		if user.Kind == ecp.ConnectorIntegration || user.Connector == "" {
			continue
		}
		id := user.Type + ":" + user.Connector
		c := cmp.Or(byID[id], byName[user.Connector])
		if user.Connector = id; c != nil {
			user.Connector = c.ID
			c.Rules = append(c.Rules, user.Rules...)
		}
	}
	for _, c := range byID {
		slices.Sort(c.Rules)
		c.Rules = slices.Compact(c.Rules)
	}
}
