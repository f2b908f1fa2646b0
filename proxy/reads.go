package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// read is a path of a broker, and what an answer shows. {} stands for any one segment.
type read struct {
	path string
	why  string
}

// reads are the paths that need the right to read the cluster only, because their
// answers show no secrets. They were chosen by the answers of running brokers. A path
// that is in neither table needs an administrator: EMQX grows, and its new paths were
// not checked yet.
var reads = []read{
	{"/status", "whether the node runs; everybody who can connect may ask"},

	{"/api/v5/nodes", "members, versions, load"},
	{"/api/v5/nodes/{}", "one member"},
	{"/api/v5/nodes/{}/metrics", "counters"},
	{"/api/v5/nodes/{}/stats", "gauges"},
	{"/api/v5/cluster", "names of members"},
	{"/api/v5/cluster/topology", "who is connected to whom"},
	{"/api/v5/stats", "gauges"},
	{"/api/v5/metrics", "counters"},
	{"/api/v5/monitor", "series of counters"},
	{"/api/v5/monitor/nodes/{}", "series of counters"},
	{"/api/v5/monitor_current", "gauges"},
	{"/api/v5/monitor_current/nodes/{}", "gauges"},
	{"/api/v5/alarms", "names and texts of alarms"},
	{"/api/v5/sessions_count", "a number"},
	{"/api/v5/clients", "ids, user names, addresses and counters; no password"},
	{"/api/v5/clients/{}", "the same of one client"},
	{"/api/v5/clients/{}/subscriptions", "topics"},
	{"/api/v5/clients/{}/authorization/cache", "topics, and whether they were allowed"},
	{"/api/v5/subscriptions", "topics and clients"},
	{"/api/v5/topics", "topics and nodes"},
	{"/api/v5/topics/{}", "one topic"},
	{"/api/v5/banned", "who is kept out, and why"},
	{"/api/v5/rules", "SQL and the names of actions; what actions connect with stands elsewhere"},
	{"/api/v5/rules/{}", "one rule"},
	{"/api/v5/rules/{}/metrics", "counters"},
	{"/api/v5/rule_events", "what rules can begin with; the same for everybody"},
	{"/api/v5/rule_engine", "two settings"},
	{"/api/v5/actions_summary", "names and states"},
	{"/api/v5/sources_summary", "names and states"},
	{"/api/v5/action_types", "words; the same for everybody"},
	{"/api/v5/source_types", "words; the same for everybody"},
	{"/api/v5/listeners", "addresses, limits and counts; the TLS settings are in the answer for one listener only"},
	{"/api/v5/listeners_status", "counts"},
	{"/api/v5/mqtt/topic_metrics", "counters of topics"},
	{"/api/v5/mqtt/topic_metrics/{}", "counters of one topic"},
	{"/api/v5/slow_subscriptions", "clients, topics and times"},
	{"/api/v5/load_rebalance/availability_check", "whether clients are taken; everybody who can connect may ask"},
	{"/api/v5/load_rebalance/global_status", "evacuations and how far they are"},
	{"/api/v5/load_rebalance/status", "the same of one node"},
	{"/api/v5/node_eviction/status", "the same of one node"},
	{"/api/v5/license", "whose, for how many, until when; the key is never shown"},
	{"/api/v5/prometheus/stats", "counters; everybody who can connect may ask"},
	{"/api/v5/prometheus/auth", "counters"},
	{"/api/v5/prometheus/data_integration", "counters"},
	{"/api/v5/prometheus/schema_validation", "counters"},
	{"/api/v5/prometheus/message_transformation", "counters"},
	{"/api/v5/error_codes", "words; the same for everybody"},
	{"/api/v5/error_codes/{}", "one of them"},

	{"/api/v4", "which calls there are"},
	{"/api/v4/brokers", "versions and uptimes"},
	{"/api/v4/brokers/{}", "one member"},
	{"/api/v4/nodes", "members, versions, load"},
	{"/api/v4/nodes/{}", "one member"},
	{"/api/v4/nodes/{}/metrics", "counters"},
	{"/api/v4/nodes/{}/stats", "gauges"},
	{"/api/v4/nodes/{}/alarms", "names and texts of alarms"},
	{"/api/v4/nodes/{}/alarms/activated", "those that are active"},
	{"/api/v4/nodes/{}/alarms/deactivated", "those that are over"},
	{"/api/v4/nodes/{}/clients", "ids, user names, addresses and counters; no password"},
	{"/api/v4/nodes/{}/clients/{}", "the same of one client"},
	{"/api/v4/nodes/{}/clients/username/{}", "the same of a user's clients"},
	{"/api/v4/nodes/{}/subscriptions", "topics and clients"},
	{"/api/v4/nodes/{}/subscriptions/{}", "those of one client"},
	{"/api/v4/nodes/{}/listeners", "addresses, limits and counts"},
	{"/api/v4/stats", "gauges"},
	{"/api/v4/metrics", "counters"},
	{"/api/v4/alarms", "names and texts of alarms"},
	{"/api/v4/alarms/activated", "those that are active"},
	{"/api/v4/alarms/deactivated", "those that are over"},
	{"/api/v4/clients", "ids, user names, addresses and counters; no password"},
	{"/api/v4/clients/{}", "the same of one client"},
	{"/api/v4/clients/{}/acl_cache", "topics, and whether they were allowed"},
	{"/api/v4/clients/username/{}", "the same of a user's clients"},
	{"/api/v4/subscriptions", "topics and clients"},
	{"/api/v4/subscriptions/{}", "those of one client"},
	{"/api/v4/routes", "topics and nodes"},
	{"/api/v4/routes/{}", "one topic"},
	{"/api/v4/banned", "who is kept out, and why"},
	{"/api/v4/listeners", "addresses, limits and counts"},
	{"/api/v4/rule_events", "what rules can begin with; the same for everybody"},
	{"/api/v4/actions", "what actions there are, and their fields without values"},
	{"/api/v4/actions/{}", "one of them"},
	{"/api/v4/resource_types", "what resources there are, and their fields without values"},
	{"/api/v4/resource_types/{}", "one of them"},
	{"/api/v4/resource_status/{}", "whether it is connected"},
	{"/api/v4/topic-metrics", "counters of topics"},
	{"/api/v4/topic-metrics/{}", "counters of one topic"},
	{"/api/v4/slow_subscriptions", "clients, topics and times"},
	{"/api/v4/load_rebalance/availability_check", "whether clients are taken; everybody who can connect may ask"},
	{"/api/v4/load_rebalance/global_status", "evacuations and how far they are"},
	{"/api/v4/load_rebalance/status", "the same of one node"},
	{"/api/v4/emqx_prometheus", "counters; everybody who can connect may ask"},
}

// withheld says why the known paths that are not in reads need an administrator: each
// of these, and everything below it.
var withheld = []read{
	{"/api/v5/api_key", "keys of the API"},
	{"/api/v5/users", "people who log in to EMQX"},
	{"/api/v5/audit", "bodies of requests, with whatever secrets were in them"},
	{"/api/v5/authentication", "how databases and servers are connected to, and users of clients"},
	{"/api/v5/authorization", "how databases and servers are connected to, and who may do what"},
	{"/api/v5/configs", "the whole configuration, secrets among it"},
	{"/api/v5/connectors", "addresses and credentials; EMQX hides only those it knows to be secret"},
	{"/api/v5/actions", "headers and templates, in which keys of others stand in clear"},
	{"/api/v5/sources", "settings in which keys of others may stand in clear"},
	{"/api/v5/bridges", "addresses and credentials; EMQX hides only those it knows to be secret"},
	{"/api/v5/cluster/links", "credentials of other clusters"},
	{"/api/v5/cluster/invitation", "an administrator's work"},
	{"/api/v5/clients/{}/inflight_messages", "what people send one another"},
	{"/api/v5/clients/{}/mqueue_messages", "what people send one another"},
	{"/api/v5/data", "exports with everything in them"},
	{"/api/v5/ds", "storage; an administrator's work"},
	{"/api/v5/durable_queues", "storage; an administrator's work"},
	{"/api/v5/exhooks", "addresses and TLS settings of other servers"},
	{"/api/v5/file_transfer", "files of clients, and credentials of where they are kept"},
	{"/api/v5/gateways", "settings and users of clients"},
	{"/api/v5/gcp_devices", "keys of devices"},
	{"/api/v5/license/setting", "an administrator's work"},
	{"/api/v5/listeners/{}", "TLS settings, and how clients of this listener are authenticated"},
	{"/api/v5/message_transformations", "settings of others"},
	{"/api/v5/mqtt", "messages that are kept, and settings"},
	{"/api/v5/opentelemetry", "where data goes, and with which headers"},
	{"/api/v5/plugins", "settings of plugins, which may be anything"},
	{"/api/v5/prometheus", "where data goes, and with which headers"},
	{"/api/v5/relup", "an administrator's work"},
	{"/api/v5/schema_registry", "schemas of others"},
	{"/api/v5/schema_registry_external", "credentials of other registries"},
	{"/api/v5/schema_validations", "settings of others"},
	{"/api/v5/schemas", "the dashboard's own"},
	{"/api/v5/slow_subscriptions/settings", "an administrator's work"},
	{"/api/v5/status", "an old name of /status, which is there"},
	{"/api/v5/trace", "what people send one another"},

	{"/api/v4/acl", "who may do what"},
	{"/api/v4/apps", "keys of the API"},
	{"/api/v4/auth_clientid", "credentials of clients"},
	{"/api/v4/auth_username", "credentials of clients"},
	{"/api/v4/data", "exports with everything in them"},
	{"/api/v4/lookup_cmd", "what is sent to devices"},
	{"/api/v4/lwm2m_channels", "devices"},
	{"/api/v4/modules", "settings with the credentials of databases"},
	{"/api/v4/nodes/{}/lookup_cmd", "what is sent to devices"},
	{"/api/v4/nodes/{}/lwm2m_channels", "devices"},
	{"/api/v4/nodes/{}/modules", "settings with the credentials of databases"},
	{"/api/v4/nodes/{}/plugins", "an administrator's work"},
	{"/api/v4/plugins", "an administrator's work"},
	{"/api/v4/resources", "addresses and credentials in clear"},
	{"/api/v4/resource_types/{}/resources", "addresses and credentials in clear"},
	{"/api/v4/rules", "parameters of actions, with headers in which keys of others stand in clear"},
	{"/api/v4/sasl", "credentials of clients"},
	{"/api/v4/telemetry", "an administrator's work"},
	{"/api/v4/trace", "what people send one another"},
	{"/api/v4/users", "people who log in to EMQX"},
}

// isRead reports whether a method changes nothing.
func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// rightFor returns the right that a call needs, which is made as the broker's
// administrator.
func rightFor(method string, t target) ecp.Right {
	if isRead(method) && slices.ContainsFunc(reads, func(r read) bool { return r.matches(t.raws) }) {
		return ecp.RightRead
	}
	return ecp.RightWrite
}

// matches compares a path with r segment by segment. The fixed ones must not be escaped.
func (r read) matches(segments []string) bool {
	want := strings.Split(r.path[1:], "/")
	return len(want) == len(segments) && r.covers(segments)
}

// covers reports whether a path is that of r or below it.
func (r read) covers(segments []string) bool {
	want := strings.Split(r.path[1:], "/")
	return len(segments) >= len(want) &&
		slices.EqualFunc(want, segments[:len(want)], func(w, s string) bool { return w == s || w == "{}" && s != "" })
}

// whyWithheld says what an answer may show that a reader must not see.
func whyWithheld(t target) string {
	for _, r := range withheld {
		if r.covers(t.raws) {
			return r.why
		}
	}
	return "its answers were not checked yet"
}
