package httpapi

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// statsView is how busy a cluster is.
type statsView struct {
	At                  time.Time       `json:"at" doc:"when the broker was asked"`
	Connections         int             `json:"connections" doc:"MQTT clients connected now"`
	Sessions            int             `json:"sessions" doc:"including those of clients that are away"`
	Topics              int             `json:"topics"`
	Subscriptions       int             `json:"subscriptions"`
	SharedSubscriptions int             `json:"sharedSubscriptions"`
	Retained            int             `json:"retained" doc:"retained messages"`
	Rates               *ratesView      `json:"rates,omitempty" doc:"messages per second; left out where the broker counts none"`
	RatesError          string          `json:"ratesError,omitempty" doc:"why there are no rates, or whose are not in them"`
	Totals              totalsView      `json:"totals" doc:"messages since the start of each node, all nodes"`
	Nodes               []nodeStatsView `json:"nodes" doc:"by name"`
	Series              []sampleView    `json:"series,omitzero" doc:"of the window, as far as the broker, or the agents of an adopted cluster, have kept it, oldest first; only where one was asked for"`
	Gaps                []ecp.SeriesGap `json:"gaps,omitzero" doc:"times of the window of which no connected agent tells a sample: never filled with zeros; only where the series is that of the agents of an adopted cluster, because its broker has none"`
	SeriesError         string          `json:"seriesError,omitempty" doc:"why there is no series although one was asked for, such as that the broker keeps none, or why that of agents is not whole; else left out"`
}

// ratesView are messages per second.
type ratesView struct {
	Received float64 `json:"received"`
	Sent     float64 `json:"sent"`
	Dropped  float64 `json:"dropped"`
}

// totalsView are messages since a node's start.
type totalsView struct {
	Received int64 `json:"received"`
	Sent     int64 `json:"sent"`
	Dropped  int64 `json:"dropped"`
}

// nodeStatsView is the part of one node that answers for itself.
type nodeStatsView struct {
	Node        string     `json:"node" doc:"EMQX node name"`
	Connections int        `json:"connections"`
	Sessions    int        `json:"sessions"`
	Totals      totalsView `json:"totals"`
	Error       string     `json:"error" doc:"why its figures are missing, or part of them; empty if they are not"`
}

// sampleView is one moment of a series.
type sampleView struct {
	At            time.Time `json:"at"`
	Connections   int       `json:"connections" doc:"connected at that moment"`
	Sessions      int       `json:"sessions"`
	Topics        int       `json:"topics"`
	Subscriptions int       `json:"subscriptions"`
	Received      int64     `json:"received" doc:"messages since the sample before"`
	Sent          int64     `json:"sent" doc:"messages since the sample before"`
	Dropped       int64     `json:"dropped" doc:"messages since the sample before"`
}

// alarmView is one thing that is or was wrong with a cluster.
type alarmView struct {
	Name    string    `json:"name" doc:"the broker's, e.g. license_quota"`
	Message string    `json:"message" doc:"the broker's words"`
	Details any       `json:"details,omitempty" doc:"the broker's, an object; left out where there is none"`
	Nodes   []string  `json:"nodes" doc:"that raised it, by name"`
	Active  bool      `json:"active" doc:"it is not over"`
	Since   time.Time `json:"since,omitzero" doc:"of the first of its nodes"`
	Until   time.Time `json:"until,omitzero" doc:"of the last of its nodes; left out while it is not over"`
}

// key puts the newest first.
func (a alarmView) key() string {
	return fmt.Sprintf("%020d %s %s", math.MaxInt64-max(a.Since.UnixNano(), 0), a.Name, strings.Join(a.Nodes, " "))
}

func (a alarmView) text() string { return a.Name }

// ruleView is a rule of the broker's rule engine.
type ruleView struct {
	ID          string    `json:"id"`
	Name        string    `json:"name" doc:"of EMQX 4 as the id"`
	Description string    `json:"description"`
	SQL         string    `json:"sql"`
	Topics      []string  `json:"topics" doc:"and events, that it is run for"`
	Actions     []string  `json:"actions" doc:"ids of actions (EMQX 5) or resources (EMQX 4), and names of built-in functions"`
	Running     bool      `json:"running" doc:"it is enabled; whether it does well is what its actions say"`
	Created     time.Time `json:"createdAt,omitzero" doc:"left out where the broker does not say"`
}

func (r ruleView) key() string  { return r.ID }
func (r ruleView) text() string { return r.ID + " " + r.Name }

// connectorView is one thing that leads outside.
type connectorView struct {
	Kind        ecp.IntegrationKind   `json:"kind" doc:"connector, action or source (EMQX 5); resource (EMQX 4)"`
	ID          string                `json:"id" doc:"type:name (EMQX 5); as given (EMQX 4)"`
	Type        string                `json:"type" doc:"e.g. http, web_hook"`
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Enabled     bool                  `json:"enabled"`
	Status      ecp.IntegrationStatus `json:"status" doc:"connected, connecting, disconnected, inconsistent (nodes differ), stopped (it is disabled) or unknown"`
	Reason      string                `json:"reason" doc:"why it is not connected; empty if it is, or the broker does not say"`
	Nodes       []connectorNodeView   `json:"nodes" doc:"by name"`
	Connector   string                `json:"connector" doc:"of an action or source: id of its connector; else empty"`
	Rules       []string              `json:"rules" doc:"ids of the rules that use it, as far as the broker tells"`
}

// connectorNodeView is how that is on one node.
type connectorNodeView struct {
	Node   string                `json:"node" doc:"EMQX node name"`
	Status ecp.IntegrationStatus `json:"status"`
	Reason string                `json:"reason"`
}

func (c connectorView) key() string  { return string(c.Kind) + " " + c.ID }
func (c connectorView) text() string { return c.ID + " " + c.Name }

func viewStats(at time.Time, t ecp.Traffic) statsView {
	v := statsView{
		At: at, Connections: t.Connections, Sessions: t.Sessions, Topics: t.Topics, Subscriptions: t.Subscriptions,
		SharedSubscriptions: t.SharedSubscriptions, Retained: t.Retained, Totals: totalsView(t.Totals),
		Nodes: convert(t.Nodes, func(n ecp.NodeTraffic) nodeStatsView {
			return nodeStatsView{
				Node: n.Node, Connections: n.Connections, Sessions: n.Sessions, Totals: totalsView(n.Totals),
				Error: n.Error,
			}
		}),
	}
	v.RatesError = t.RatesError
	if t.Rates != nil {
		rates := ratesView(*t.Rates)
		v.Rates = &rates
	}
	return v
}

func viewSample(s ecp.TrafficSample) sampleView { return sampleView(s) }

func viewAlarm(a ecp.Alarm) alarmView {
	v := alarmView{
		Name: a.Name, Message: a.Message, Nodes: list(a.Nodes), Active: a.Active(), Since: a.Since, Until: a.Until,
	}
	if len(a.Details) > 0 {
		v.Details = a.Details
	}
	return v
}

func viewRule(r ecp.Rule) ruleView {
	v := ruleView(r)
	v.Topics, v.Actions = list(r.Topics), list(r.Actions)
	return v
}

func viewConnector(i ecp.Integration) connectorView {
	return connectorView{
		Kind: i.Kind, ID: i.ID, Type: i.Type, Name: i.Name, Description: i.Description, Enabled: i.Enabled,
		Status: i.Status, Reason: i.Reason,
		Nodes:     convert(i.Nodes, func(n ecp.IntegrationNode) connectorNodeView { return connectorNodeView(n) }),
		Connector: i.Connector, Rules: list(i.Rules),
	}
}
