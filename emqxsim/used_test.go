package emqxsim_test

import "strings"

// used are the paths that adapters ask, or people with the dashboard. A recorded
// call of any method on one is replayed: a refused method is an answer, too.
// Every other recording has to be of one of the others.
var used = []string{
	"/", "/status",

	"/api/v5/status", "/api/v5/login", "/api/v5/logout",
	"/api/v5/nodes", "/api/v5/nodes/{}", "/api/v5/nodes/{}/stats", "/api/v5/nodes/{}/metrics",
	"/api/v5/cluster", "/api/v5/cluster/topology", "/api/v5/cluster/invitation",
	"/api/v5/cluster/{}/invite", "/api/v5/cluster/{}/invite_async", "/api/v5/cluster/{}/force_leave",
	"/api/v5/stats", "/api/v5/metrics",
	"/api/v5/monitor", "/api/v5/monitor/nodes/{}", "/api/v5/monitor_current", "/api/v5/monitor_current/nodes/{}",
	"/api/v5/alarms",
	"/api/v5/rules", "/api/v5/rules/{}", "/api/v5/rules/{}/metrics", "/api/v5/rules/{}/metrics/reset",
	"/api/v5/rule_engine",
	"/api/v5/connectors", "/api/v5/connectors/{}", "/api/v5/connectors/{}/enable/{}", "/api/v5/connectors/{}/start",
	"/api/v5/connectors_probe",
	"/api/v5/actions", "/api/v5/actions/{}", "/api/v5/actions/{}/metrics", "/api/v5/actions_summary",
	"/api/v5/action_types",
	"/api/v5/sources", "/api/v5/sources/{}", "/api/v5/sources_summary",
	"/api/v5/listeners", "/api/v5/listeners/{}", "/api/v5/listeners_status",
	"/api/v5/listeners/{}/start", "/api/v5/listeners/{}/stop", "/api/v5/listeners/{}/restart",
	"/api/v5/clients", "/api/v5/clients/{}", "/api/v5/clients/{}/subscriptions", "/api/v5/clients/kickout/bulk",
	"/api/v5/subscriptions", "/api/v5/topics",
	"/api/v5/api_key", "/api/v5/api_key/{}", "/api/v5/users", "/api/v5/users/{}",
	"/api/v5/license", "/api/v5/license/setting",
	"/api/v5/load_rebalance/{}/evacuation/start", "/api/v5/load_rebalance/{}/evacuation/stop",
	"/api/v5/load_rebalance/{}/start", "/api/v5/load_rebalance/{}/stop",
	"/api/v5/load_rebalance/status", "/api/v5/load_rebalance/global_status",
	"/api/v5/load_rebalance/availability_check",
	"/api/v5/node_eviction/status",
	"/api/v5/prometheus/stats", "/api/v5/prometheus/auth", "/api/v5/prometheus/data_integration",
	"/api/v5/prometheus/schema_validation", "/api/v5/prometheus/message_transformation",
	"/api/v5/nonexistent",

	"/api/v4", "/api/v4/auth",
	"/api/v4/nodes", "/api/v4/nodes/{}", "/api/v4/brokers", "/api/v4/brokers/{}",
	"/api/v4/stats", "/api/v4/nodes/{}/stats", "/api/v4/metrics", "/api/v4/nodes/{}/metrics",
	"/api/v4/alarms", "/api/v4/alarms/activated", "/api/v4/alarms/deactivated", "/api/v4/nodes/{}/alarms",
	"/api/v4/rules", "/api/v4/rules/{}", "/api/v4/rules/{}/reset_metrics",
	"/api/v4/resources", "/api/v4/resources/{}", "/api/v4/resource_status/{}",
	"/api/v4/listeners", "/api/v4/nodes/{}/listeners",
	"/api/v4/clients", "/api/v4/clients/{}", "/api/v4/nodes/{}/clients",
	"/api/v4/license", "/api/v4/load_rebalance/status", "/api/v4/node_eviction",
	"/api/v4/emqx_prometheus", "/api/v4/nodes/{}/plugins/{}/load", "/api/v4/nodes/{}/plugins/{}/unload",
	"/api/v4/apps", "/api/v4/apps/{}", "/api/v4/users", "/api/v4/users/{}",
	"/api/v4/nonexistent", "/api/v3/nodes",
}

// others are calls no adapter makes: paths, or one method of a path that is used
// otherwise. They are replayed by nobody.
var others = []string{
	// EMQX 5.
	"/api/v5/clients/{}/inflight_messages", "/api/v5/clients/{}/mqueue_messages", "/api/v5/clients/{}/subscribe",
	"/api/v5/clients/{}/unsubscribe",
	"/api/v5/configs/...", "/api/v5/data/...", "/api/v5/sessions_count", "/api/v5/topics/{}", "/api/v5/publish/...",
	"/api/v5/banned/...", "/api/v5/mqtt/...", "/api/v5/slow_subscriptions/...",
	"/api/v5/durable_queues", "/api/v5/ds/...", "/api/v5/file_transfer/...", "/api/v5/gateways", "/api/v5/gcp_devices",
	"/api/v5/bridges/...", "/api/v5/source_types", "/api/v5/rule_events", "/api/v5/rule_test",
	"/api/v5/message_transformations", "/api/v5/schema_validations", "/api/v5/schema_registry",
	"/api/v5/schema_registry_external",
	"/api/v5/exhooks", "/api/v5/sso/...", "/api/v5/audit", "/api/v5/authentication/...", "/api/v5/authorization/...",
	"/api/v5/prometheus", "/api/v5/opentelemetry", "/api/v5/plugins", "/api/v5/relup/...", "/api/v5/trace/...",
	"/api/v5/cluster/links",
	"/api/v5/error_codes", "/api-docs/...",

	// EMQX 4.4.
	"/api/v4/acl/...", "/api/v4/auth_clientid", "/api/v4/auth_username", "/api/v4/sasl", "/api/v4/banned/...",
	"/api/v4/clients/username/{}", "/api/v4/clients/{}/acl_cache", "/api/v4/subscriptions/...", "/api/v4/routes/...",
	"/api/v4/mqtt/...", "/api/v4/topic-metrics/...", "/api/v4/slow_subscriptions", "/api/v4/lwm2m_channels",
	"/api/v4/data/...", "/api/v4/modules/...", "/api/v4/nodes/{}/modules/...", "/api/v4/plugins",
	"/api/v4/nodes/{}/plugins",
	"POST /api/v4/rules?test=true", "/api/v4/actions", "/api/v4/resource_types", "/api/v4/rule_events",
	"/api/v4/telemetry/...", "/api/v4/trace",
}

// routed finds the first pattern a recorded call fits; "" if none.
func routed(patterns []string, method, target string) string {
	target, _, _ = strings.Cut(target, " ") // a remark may follow
	path, _, _ := strings.Cut(target, "?")
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	for _, p := range patterns {
		want := p
		if m, rest, ok := strings.Cut(p, " "); ok {
			if m != method {
				continue
			}
			want = rest
		}
		if fits(want, path) || want == target {
			return p
		}
	}
	return ""
}

// fits matches a path with a pattern: {} is one segment, a last "..." the rest.
func fits(pattern, path string) bool {
	p, s := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, part := range p {
		switch {
		case part == "...":
			return true
		case i >= len(s), part != "{}" && part != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}
