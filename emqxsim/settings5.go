package emqxsim

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// What a node runs with is, from below: EMQX' own values; cluster.hocon, which
// all members share and every change at run time is put into, with all that stands
// beside it below the same first word; and the node's own file and environment. The
// last one wins when a node starts, and a change at run time after that.

// inForce is what a node has of the two upper layers, by first words.
func (n *Node) inForce() obj {
	if n.over == nil {
		n.over = filled(n.db.config, n.file)
	}
	return n.over
}

// store puts all that is below a first word into cluster.hocon, and into force on
// the nodes that run.
func (q *request) store(word string, whole obj) {
	q.db.config[word] = whole
	for _, n := range q.n.visible(q.now) {
		over := maps.Clone(n.inForce())
		over[word] = whole
		n.over = over
	}
}

// zone5 are the roots that a call for the global zone is about.
var zone5 = []string{"flapping_detect", "force_gc", "force_shutdown", "mqtt"}

// fileOnly5 are roots that only the HOCON form has, and what they are where nobody
// sets them.
func fileOnly5(q *request) obj {
	return obj{
		"flapping_detect": obj{"ban_time": "5m", "enable": false, "max_count": 15, "window_time": "1m"},
		"force_gc":        obj{"bytes": "16MB", "count": 16000, "enable": true},
		"force_shutdown":  obj{"enable": true, "max_heap_size": "32MB", "max_mailbox_size": 1000},
		"mqtt": obj{
			"await_rel_timeout": "300s", "client_attrs_init": []any{}, "clientid_override": "disabled", "exclusive_subscription": false,
			"idle_timeout": "15s", "ignore_loop_deliver": false, "keepalive_check_interval": "30s", "keepalive_multiplier": 1.5,
			"max_awaiting_rel": 100, "max_clientid_len": 65535, "max_inflight": 32, "max_mqueue_len": 1000, "max_packet_size": "1MB",
			"max_qos_allowed": 2, "max_subscriptions": "infinity", "max_topic_alias": 65535, "max_topic_levels": 128,
			"message_expiry_interval": "infinity", "mqueue_default_priority": "lowest", "mqueue_priorities": "disabled",
			"mqueue_store_qos0": true, "peer_cert_as_clientid": "disabled", "peer_cert_as_username": "disabled", "response_information": "",
			"retain_available": true, "retry_interval": "infinity", "server_keepalive": "disabled", "session_expiry_interval": "2h",
			"shared_subscription": true, "shared_subscription_initial_sticky_pick": "random", "shared_subscription_strategy": "round_robin",
			"strict_mode": false, "upgrade_qos": false, "use_username_as_clientid": false, "wildcard_subscription": true,
		},
		"listeners": listenersRoot5(q),
	}
}

// listenersRoot5 are the listeners as the configuration has them: by type and name.
func listenersRoot5(q *request) obj {
	out := obj{}
	for _, l := range q.db.listenersByID() {
		o := listener5(q, l)
		for _, word := range strings.Fields("id type running current_connections") {
			delete(o, word)
		}
		same, _ := asObject(out[l.protocol()])
		out[l.protocol()] = filled(same, obj{l.name(): o})
	}
	return out
}

// whole is the configuration in force, with the roots that only the HOCON form has.
func (q *request) whole() obj {
	out := filled(fileOnly5(q), configs5(q))
	maps.Copy(out, unlisted5(q))
	return filled(out, q.n.inForce())
}

// putListener stores all listeners, as a change of one does.
func (q *request) putListener(l *listener) {
	now, _ := asObject(q.whole()["listeners"])
	q.store("listeners", filled(now, obj{l.protocol(): obj{l.name(): listenersRoot5(q)[l.protocol()].(obj)[l.name()]}}))
}

// readZone5 and putZone5 are what the dashboard uses for settings of MQTT. Each
// root that is put is stored whole.
func readZone5(q *request) answer {
	all, out := q.whole(), obj{}
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
	all := q.whole()
	for word, given := range in {
		change, is := asObject(given)
		if !is || !slices.Contains(zone5, word) {
			return fail5(http.StatusBadRequest, "UPDATE_FAILED", "unknown "+word) // not recorded
		}
		was, _ := asObject(all[word])
		q.store(word, filled(was, change))
		q.n.say(q.now, configChanges, "root", word)
	}
	return readZone5(q)
}

// settingsTree is what the settings of a hosted spec say as one tree.
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
		out = filled(out, value.(obj))
	}
	return out
}

// remember keeps the settings of a revision of pods. They live in memory only, as
// they may hold secrets; each process of a Manager applies them anew.
func (e *entry) remember(revision string, d ecp.Desired) {
	if e.settings == nil {
		e.settings = map[string]map[string]string{}
	}
	e.settings[revision] = maps.Clone(d.Spec.Config)
}

// configure lets a node that has just started, or whose settings were not known yet,
// take what its pod's revision says.
func (n *Node) configure(settings map[string]string, known bool) {
	if known && n.file == nil {
		n.file = settingsTree(settings)
		n.over = nil
	}
}
