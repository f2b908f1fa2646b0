package httpapi

import "github.com/openecp/openecp/ecp"

// note describes what the Go type of a domain type cannot express. It is documentation:
// the domain checks the values.
type note struct {
	schema, property string
	says             string
	minimum, maximum *float64
	longest          int // characters; 0 means no limit in the document
	words            []string
	required         []string // of the schema, if property is empty
}

var notes = []note{
	{schema: "CreateBodyHostedSpec", property: "mode", words: words(ecp.Hosted)},
	{schema: "CreateBodyHostedSpec", property: "name", longest: ecp.MaxName},
	{schema: "CreateBodyHostedSpec", property: "description", longest: ecp.MaxDescription},
	{schema: "CreateBodyAdoptedSpec", required: []string{"mode", "name"}},
	{schema: "CreateBodyAdoptedSpec", property: "name", longest: ecp.MaxName},
	{schema: "CreateBodyAdoptedSpec", property: "description", longest: ecp.MaxDescription},
	{schema: "CreateBodyAdoptedSpec", property: "mode", words: words(ecp.Adopted)},
	{schema: "Cluster", property: "mode", words: modes()},
	{
		schema: "Overview", property: "states",
		says: "clusters by mode and state; states that no cluster is in are left out",
	},
	{
		schema: "Overview", property: "versions",
		says: "clusters by version of EMQX; the empty one is that of clusters which have not told theirs yet",
	},
	{schema: "Overview", property: "stale", says: "clusters that could not be looked at when it was last tried"},
	{
		schema: "Overview", property: "missing",
		says: "some of the clusters that miss in the sums of what brokers tell, and why; 20 at most",
	},
	{schema: "NodeTotals", property: "running", says: "of the clusters that are known"},
	{
		schema: "ConnectionTotals", property: "live",
		says: "clients that are connected, as last seen; ofLive says of which clusters",
	},
	{
		schema: "ConnectionTotals", property: "all",
		says: "with the sessions of clients that are away, as brokers have told; ofAll says of which clusters",
	},
	{schema: "ConnectionTotals", property: "booked", says: "in the pool"},
	{schema: "RuleTotals", property: "running", says: "enabled"},
	{schema: "ConnectorTotals", property: "total", says: "connectors of EMQX 5 and resources of EMQX 4"},
	{schema: "ConnectorTotals", property: "disconnected", says: "enabled, and not connected on every node"},
	{schema: "ConnectorTotals", property: "stopped", says: "disabled"},
	{schema: "ConnectorTotals", property: "unsaid", says: "the broker does not say how they are"},
	{
		schema: "AlarmTotals", property: "kinds",
		says: "by the part of the name before what it is about, as connector; EMQX gives alarms no level",
	},
	{schema: "AgentTotals", property: "away", says: "were connected since the daemon was started, and are not now"},
	{schema: "Coverage", property: "known", says: "clusters that are in the sum"},
	{schema: "Coverage", property: "unknown", says: "clusters that should be, and whose figures are not known"},
	{
		schema: "Coverage", property: "oldest",
		says: "when the oldest of the figures was told; left out where none is known",
	},
	{
		schema: "Status", property: "state",
		says: "one word for people; software waits on the conditions Settled and Healthy. gone is only in the last " +
			"event of a deleted cluster",
		words: append(states(), string(ecp.Gone)),
	},
	{
		schema: "ConnectionsInfo", property: "limit",
		says: "how many connections EMQX has said that it takes; 0 where it has not said anything, or takes any " +
			"number. What is booked is spec.connections",
	},
	{
		schema: "ConnectionsInfo", property: "enforcedBy",
		says: "who sees to the limit, as EMQX has said: the license, listeners (each takes its node's share), or " +
			"nobody; unknown where it has not said anything or no node runs",
		words: words(ecp.EnforcedByLicense, ecp.EnforcedByListeners, ecp.EnforcedByNone, ecp.EnforcedByUnknown),
	},
	{schema: "HostedSpec", required: []string{"nodes", "connections"}},
	{schema: "HostedSpec", property: "image", says: "id in GET /api/v1/images; the default one when left out"},
	{schema: "HostedSpec", property: "nodes", minimum: number(1), maximum: number(ecp.MaxNodes)},
	{schema: "HostedSpec", property: "size", says: "name in GET /api/v1/sizes; the default one when left out"},
	{
		schema: "HostedSpec", property: "connections",
		says:    "MQTT connections booked in the pool",
		minimum: number(1), maximum: number(ecp.MaxConnections),
	},
	{
		schema: "HostedSpec", property: "power",
		says:  "on when left out; moved by start and stop",
		words: words(ecp.PowerOn, ecp.PowerOff),
	},
	{schema: "HostedSpec", property: "target", says: "Kubernetes target; default when left out"},
	{schema: "HostedSpec", property: "config", says: "EMQX settings by dotted key"},
	{schema: "HostedSpec", property: "storage", says: "storage class; the size's, else the platform's when left out"},
	{
		schema: "HostedSpec", property: "replicants",
		says: "nodes beside nodes, the core ones, that hold clients and no data; none when left out. EMQX 5 and later",
	},
	{schema: "Replicants"},
	{
		schema: "Replicants", property: "nodes",
		says:    "clients are sent to replicants where there are any",
		minimum: number(0), maximum: number(ecp.MaxReplicants),
	},
	{schema: "Replicants", property: "size", says: "name in GET /api/v1/sizes; that of the core nodes when left out"},
	{
		schema: "AdoptedSpec", property: "serviceAddress",
		says: "http(s) URL of the dashboard as browsers reach it: they are led there, and the daemon never dials " +
			"it. No loopback, link-local, multicast or unspecified address, and none where clouds keep metadata, in " +
			"any spelling, unless the daemon allows it",
	},
	{
		schema: "AdoptedSpec", property: "connections",
		says: "the connection limit that its EMQX keeps to, booked in the pool; 0 or left out: EMQX keeps its own. " +
			"It is set once an agent has reported, where the feature connectionLimit is available",
		minimum: number(0), maximum: number(ecp.MaxConnections),
	},
	{schema: "Network"},
	{
		schema: "Network", property: "type",
		says:  "ClusterIP when left out",
		words: words(ecp.ClusterIP, ecp.NodePort, ecp.LoadBalancer),
	},
	{schema: "Network", property: "listeners", says: "all four protocols on their usual ports when left out"},
	{schema: "Network", property: "annotations", says: "put on the access Service"},
	{schema: "Network", property: "loadBalancerClass", says: "for the type LoadBalancer only"},
	{
		schema: "Network", property: "certificate",
		says: "of the catalog's certificates, the one that mqtts and wss serve; EMQX's own when left out",
	},
	{schema: "Listener", required: []string{"protocol"}},
	{schema: "Listener", property: "protocol", words: words(ecp.Protocols()...)},
	{
		schema: "Listener", property: "port",
		says:    "the protocol's usual port when left out or 0",
		minimum: number(0), maximum: number(65535),
	},
	{
		schema: "Evacuation", property: "rate",
		says:    "connections moved per second; 500 when left out",
		minimum: number(0),
	},
	{schema: "Evacuation", property: "deadline", says: "seconds for each node; 600 when left out", minimum: number(0)},
	{
		schema: "Evacuation", property: "onDeadline",
		says:  "go-on cuts the clients that are left, stop fails the operation; go-on when left out",
		words: words(ecp.GoOn, ecp.StopAtTime),
	},
}
