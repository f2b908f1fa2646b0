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

// Integrations lists connectors, actions and sources. The shorter lists of
// 5.8.5 and later, actions_summary and sources_summary, lack the connector and
// are not used.
func (b *broker) Integrations(ctx context.Context) ([]ecp.Integration, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	all, err := ofAll(ctx, b, b.integrations)
	if err != nil {
		return nil, err
	}
	link(all)
	slices.SortStableFunc(all, func(a, b ecp.Integration) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

// integrations asks for the three lists.
func (b *broker) integrations(ctx context.Context) (all []ecp.Integration, err error) {
	for _, list := range []struct {
		path string
		kind ecp.IntegrationKind
	}{{connectorPath, ecp.ConnectorIntegration}, {actionPath, ecp.ActionIntegration}, {sourcePath, ecp.SourceIntegration}} {
		part, err := ask(ctx, b, emqxhttp.Request{Path: list.path}, func(body []byte) ([]ecp.Integration, error) {
			return decodeIntegrations(body, list.kind)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

// integration is an entry of /connectors, /actions and /sources, without its
// configuration.
type integration struct {
	Type         emqxhttp.Text   `json:"type"`
	Name         emqxhttp.Text   `json:"name"`
	Description  emqxhttp.Text   `json:"description"`
	Enable       any             `json:"enable"`
	Status       emqxhttp.Words  `json:"status"`
	StatusReason emqxhttp.Words  `json:"status_reason"`
	Error        emqxhttp.Words  `json:"error"` // of an action or source: as status_reason
	Nodes        []nodeStatus    `json:"node_status"`
	Connector    emqxhttp.Text   `json:"connector"` // its name, without the type
	Rules        []emqxhttp.Text `json:"rules"`
}

type nodeStatus struct {
	Node         emqxhttp.Text  `json:"node"`
	Status       emqxhttp.Words `json:"status"`
	StatusReason emqxhttp.Words `json:"status_reason"`
}

var errNoID = errors.New("an entry has no type, name or id")

// decodeIntegrations reads one of the three lists, bare arrays. The connector
// of an action is left as its name; see link.
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
			Kind: kind, ID: string(e.Type + ":" + e.Name), Type: string(e.Type), Name: string(e.Name), Description: string(e.Description),
			Enabled: e.Enable != false && e.Enable != "false", Status: connection(e.Status), Connector: string(e.Connector), Rules: texts(e.Rules),
		}
		i.Reason = reason(i.Status, cmp.Or(e.StatusReason, e.Error))
		for _, n := range e.Nodes {
			s := connection(n.Status)
			i.Nodes = append(i.Nodes, ecp.IntegrationNode{Node: string(n.Node), Status: s, Reason: reason(s, n.StatusReason)})
		}
		slices.SortFunc(i.Nodes, func(a, b ecp.IntegrationNode) int { return strings.Compare(a.Node, b.Node) })
		slices.Sort(i.Rules)
		all = append(all, i)
	}
	return all, nil
}

// statuses are EMQX's words, which are ours.
var statuses = map[string]ecp.IntegrationStatus{
	"connected":    ecp.IntegrationConnected,
	"connecting":   ecp.IntegrationConnecting,
	"disconnected": ecp.IntegrationDisconnected,
	"inconsistent": ecp.IntegrationInconsistent,
	"stopped":      ecp.IntegrationStopped,
}

// connection is a status of ours; what is none is not known.
func connection(word emqxhttp.Words) ecp.IntegrationStatus {
	return cmp.Or(statuses[strings.ToLower(string(word))], ecp.IntegrationUnknown)
}

// reason is why it is not connected.
func reason(s ecp.IntegrationStatus, word emqxhttp.Words) string {
	if s == ecp.IntegrationConnected {
		return ""
	}
	return string(word)
}

// link makes ids of the names of connectors, and gives each connector the
// rules that use it by way of its actions and sources. The type of a connector
// is that of its action as a rule, but not always: where there is none of that
// type, the name decides.
func link(all []ecp.Integration) {
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
