package emqxsim

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// The settings of a node come, in ascending order of precedence, from EMQX's defaults; from
// cluster.hocon, which all members share and into which every change at run time goes
// together with the rest of its root; and from the node's own file and environment. That
// order counts when a node starts. Later changes at run time count over all of it.

// inForce returns the settings of a node besides the defaults, by root.
func (n *Node) inForce() obj {
	if n.over == nil {
		n.over = withDefaults(n.db.config, n.file)
	}
	return n.over
}

// store writes a whole root into cluster.hocon, and puts it into force on the nodes that
// run.
func (q *request) store(word string, whole obj) {
	q.db.config[word] = whole
	for _, n := range q.n.visible(q.now) {
		over := maps.Clone(n.inForce())
		over[word] = whole
		n.over = over
	}
}

// zone5 are the roots of the call for the global zone.
var zone5 = []string{"flapping_detect", "force_gc", "force_shutdown", "mqtt"}

// fileOnly5 returns the defaults of further roots that only the HOCON form has.
func fileOnly5(q *request) obj {
	return obj{
		"flapping_detect": obj{"ban_time": "5m", "enable": false, "max_count": 15, "window_time": "1m"},
		"force_gc":        obj{"bytes": "16MB", "count": 16000, "enable": true},
		"force_shutdown":  obj{"enable": true, "max_heap_size": "32MB", "max_mailbox_size": 1000},
		"mqtt": obj{
			"await_rel_timeout": "300s", "client_attrs_init": []any{}, "clientid_override": "disabled",
			"exclusive_subscription": false,
			"idle_timeout":           "15s", "ignore_loop_deliver": false, "keepalive_check_interval": "30s",
			"keepalive_multiplier": 1.5,
			"max_awaiting_rel":     100, "max_clientid_len": 65535, "max_inflight": 32, "max_mqueue_len": 1000,
			"max_packet_size": "1MB",
			"max_qos_allowed": 2, "max_subscriptions": "infinity", "max_topic_alias": 65535, "max_topic_levels": 128,
			"message_expiry_interval": "infinity", "mqueue_default_priority": "lowest", "mqueue_priorities": "disabled",
			"mqueue_store_qos0": true, "peer_cert_as_clientid": "disabled", "peer_cert_as_username": "disabled",
			"response_information": "",
			"retain_available":     true, "retry_interval": "infinity", "server_keepalive": "disabled",
			"session_expiry_interval": "2h",
			"shared_subscription":     true, "shared_subscription_initial_sticky_pick": "random",
			"shared_subscription_strategy": "round_robin",
			"strict_mode":                  false, "upgrade_qos": false, "use_username_as_clientid": false,
			"wildcard_subscription": true,
		},
		"delayed": obj{"enable": true, "max_delayed_messages": 0},
		"slow_subs": obj{
			"enable": false, "expire_interval": "300s", "stats_type": "whole", "threshold": "500ms", "top_k_num": 10,
		},
		"retainer": obj{
			"allow_never_expire": true, "delivery_rate": "1000/s", "enable": true, "max_payload_size": "1MB",
			"max_publish_rate": "1000/s", "msg_clear_interval": "0s", "msg_expiry_interval": "0s",
			"msg_expiry_interval_override": "disabled", "stop_publish_clear_msg": false,
			"backend": obj{
				"enable": true, "index_specs": []any{[]any{1, 2, 3}, []any{1, 3}, []any{2, 3}, []any{3}},
				"max_retained_messages": 0, "storage_type": "ram", "type": "built_in_database",
			},
			"flow_control": obj{
				"batch_deliver_limiter": obj{"client": obj{"rate": "1000/s"}, "rate": "infinity"},
				"batch_deliver_number":  1000, "batch_read_number": 1000,
			},
		},
		"listeners": listenersRoot5(q),
	}
}

// listenersRoot5 returns the listeners as the configuration has them: by type and name.
func listenersRoot5(q *request) obj {
	out := obj{}
	for _, l := range q.db.listenersByID() {
		o := listener5(q, l)
		for _, word := range strings.Fields("id type running current_connections") {
			delete(o, word)
		}
		same, _ := asObject(out[l.protocol()])
		out[l.protocol()] = withDefaults(same, obj{l.name(): o})
	}
	return out
}

// fullConfig returns the configuration in force, including the roots that only the HOCON form
// has.
func (q *request) fullConfig() obj {
	out := withDefaults(fileOnly5(q), configs5(q))
	maps.Copy(out, unlisted5(q))
	return withDefaults(out, q.n.inForce())
}

// putListener stores all listeners, as a change of one of them does.
func (q *request) putListener(l *listener) {
	now, _ := asObject(q.fullConfig()["listeners"])
	changed := listenersRoot5(q)[l.protocol()].(obj)[l.name()]
	q.store("listeners", withDefaults(now, obj{l.protocol(): obj{l.name(): changed}}))
}

// readZone5 and putZone5 are the calls of the dashboard for the settings of MQTT. Each root
// in the body is stored whole.
func readZone5(q *request) answer {
	all, out := q.fullConfig(), obj{}
	for _, word := range zone5 {
		out[word] = all[word]
	}
	return asJSON(out)
}

func putZone5(q *request) answer {
	in, bad := q.object("", []input{{name: ""}})
	if bad != nil {
		return *bad
	}
	all := q.fullConfig()
	for word, given := range in {
		change, is := asObject(given)
		if !is || !slices.Contains(zone5, word) {
			return fail5(http.StatusBadRequest, "UPDATE_FAILED", "unknown "+word) // not recorded
		}
		was, _ := asObject(all[word])
		q.store(word, withDefaults(was, change))
		q.n.logEvent(q.now, configChanges, "root", word)
	}
	return readZone5(q)
}

// settingsTree converts the settings of a hosted spec to a tree.
func settingsTree(settings map[string]string) obj {
	out := obj{}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		var value any = settings[key]
		var parsed any
		if text := strings.TrimSpace(settings[key]); json.Unmarshal([]byte(text), &parsed) == nil && parsed != nil {
			value = parsed
		}
		words := strings.Split(key, ".")
		for i := len(words) - 1; i >= 0; i-- {
			value = obj{words[i]: value}
		}
		out = withDefaults(out, value.(obj))
	}
	return out
}

// remember keeps the settings of a revision of pods. They are in memory only, as they may
// contain secrets; each process of a Manager applies them again.
func (e *entry) remember(revision string, d ecp.Desired) {
	if e.settings == nil {
		e.settings = map[string]map[string]string{}
	}
	e.settings[revision] = maps.Clone(d.Spec.Config)
}

// startsWith returns the settings that a node of a revision of pods finds when it starts.
func (h *hosted) startsWith(revision string) (settings map[string]string, known bool) {
	settings, known = h.settings[revision]
	settings = maps.Clone(settings)
	if settings == nil {
		settings = map[string]string{}
	}
	maps.Copy(settings, h.runTime)
	return settings, known
}

// configure applies the settings of a pod's revision to a node, after a start or as soon as
// they are known.
func (n *Node) configure(settings map[string]string, known bool) {
	if known && n.file == nil {
		n.file = settingsTree(settings)
		n.over = nil
	}
}
