package emqxsim

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The series of the Prometheus calls, one per line: the last part of the call's path, the
// group in the JSON form ("-" means the top level), the name and the type.
//
//go:embed keys/prometheus5.txt
var prometheusNames string

// labelled is a value of a series with its labels.
type labelled struct {
	labels [][2]string
	value  any
}

// What the simulated machine has, in bytes; memoryTotal is the same in words.
const memoryBytes int64 = 25276502016

// prometheus5 answers one of the calls as text, or as JSON if the request accepts it.
func prometheus5(call string) func(*request) answer {
	return func(q *request) answer {
		mode := q.URL.Query().Get("mode")
		if !slices.Contains([]string{"", "node", "all_nodes_aggregated", "all_nodes_unaggregated"}, mode) {
			return invalid(mode, "node | all_nodes_aggregated | all_nodes_unaggregated", "mode")
		}
		values := q.prometheus(call, mode)
		if strings.Contains(q.Header.Get("Accept"), "application/json") {
			return q.prometheusJSON(call, values)
		}
		var b strings.Builder
		for line := range strings.Lines(prometheusNames) {
			f := strings.Fields(line)
			if f[0] != call {
				continue
			}
			fmt.Fprintf(&b, "# TYPE %s %s\n# HELP %s \n", f[2], f[3], f[2])
			for _, v := range values[f[2]] {
				fmt.Fprintf(&b, "%s%s %v\n", f[2], v.text(), v.value)
			}
		}
		return asText(200, b.String()+"\n")
	}
}

func (v labelled) text() string {
	if len(v.labels) == 0 {
		return ""
	}
	parts := []string{}
	for _, l := range v.labels {
		parts = append(parts, fmt.Sprintf("%s=%q", l[0], l[1]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// prometheus returns the values of a call by series.
func (q *request) prometheus(call, mode string) map[string][]labelled {
	nodes := []*Node{q.n}
	if mode != "" && mode != "node" {
		nodes = q.n.visible(q.now)
	}
	switch call {
	case "stats":
		return q.prometheusStats(nodes, mode == "all_nodes_unaggregated")
	case "data_integration":
		return q.prometheusIntegration(nodes)
	case "auth":
		return map[string][]labelled{
			"emqx_authz_enable":      {{[][2]string{{"type", "file"}}, 1}},
			"emqx_authz_status":      {{[][2]string{{"type", "file"}}, 1}},
			"emqx_authz_nomatch":     {{[][2]string{{"type", "file"}}, 0}},
			"emqx_authz_total":       {{[][2]string{{"type", "file"}}, 0}},
			"emqx_authz_allow":       {{[][2]string{{"type", "file"}}, 0}},
			"emqx_authz_deny":        {{[][2]string{{"type", "file"}}, 0}},
			"emqx_authz_rules_count": {{[][2]string{{"type", "file"}}, 4}}, "emqx_banned_count": {{nil, 0}},
		}
	}
	return nil
}

// prometheusStats returns one value for each series, or one for each node.
func (q *request) prometheusStats(nodes []*Node, each bool) map[string][]labelled {
	out := map[string][]labelled{}
	sums := map[string]int64{}
	for _, n := range nodes {
		for name, v := range q.machine(n) {
			if each {
				out[name] = append(out[name], labelled{[][2]string{{"node", n.name}}, v})
			}
			sums[name] += v
		}
	}
	if !each {
		for name, v := range sums {
			out[name] = []labelled{{nil, v}}
		}
	}
	delete(out, "emqx_client_disconnected_reason") // it has labels of its own; reasons are not counted
	delete(out, "emqx_cert_expiry_at")
	stopped := len(q.n.peers()) - len(q.n.visible(q.now))
	out["emqx_cluster_nodes_running"] = []labelled{{nil, len(q.n.visible(q.now))}}
	out["emqx_cluster_nodes_stopped"] = []labelled{{nil, stopped}}
	out["emqx_license_expiry_at"] = []labelled{{nil, q.db.license.Expiry.Unix()}}
	for _, listener := range []string{"ssl", "wss"} {
		out["emqx_cert_expiry_at"] = append(out["emqx_cert_expiry_at"],
			labelled{[][2]string{{"listener_type", listener}, {"listener_name", "default"}}, certExpiry})
	}
	return out
}

// certExpiry is the expiry of the certificates that EMQX comes with.
const certExpiry = 1904285225

// machine returns the figures of one node by their names here.
func (q *request) machine(n *Node) map[string]int64 {
	out := map[string]int64{
		"emqx_vm_total_memory": memoryBytes, "emqx_vm_used_memory": 1534062592, "emqx_vm_cpu_use": 12,
		"emqx_vm_cpu_idle":  88,
		"emqx_vm_run_queue": 0, "emqx_conf_sync_txid": int64(q.db.serial),
	}
	under := strings.NewReplacer(".", "_")
	for _, from := range []obj{nodeStats(q, n), nodeMetrics(q, n)} {
		for k, v := range from {
			out["emqx_"+under.Replace(k)] = int64(v.(int))
		}
	}
	for k, v := range n.counters(q.now) {
		out["emqx_"+under.Replace(k)] = int64(v)
	}
	for line := range strings.Lines(prometheusNames) {
		if f := strings.Fields(line); f[0] == "stats" && f[1] != "olp" {
			if _, there := out[f[2]]; !there {
				out[f[2]] = 0
			}
		}
	}
	return out
}

func (q *request) prometheusIntegration(nodes []*Node) map[string][]labelled {
	out := map[string][]labelled{
		"emqx_rules_count": {{nil, len(q.db.rules)}}, "emqx_actions_count": {{nil, len(q.db.ofKind(kindAction))}},
		"emqx_connectors_count": {{nil, len(q.db.ofKind(kindConnector))}}, "emqx_schema_registrys_count": {{nil, 0}},
	}
	put := func(name, id string, v any) {
		out[name] = append(out[name], labelled{[][2]string{{"id", id}}, v})
	}
	under := strings.NewReplacer(".", "_")
	for _, r := range q.db.rules {
		put("emqx_rule_enable", r.id, asNumber(r.enable))
		for k, v := range r.sums(q, nodes) {
			put("emqx_rule_"+under.Replace(k), r.id, v)
		}
	}
	for _, a := range q.db.ofKind(kindAction) {
		s, _ := a.overall(nodes)
		put("emqx_action_enable", a.id(), asNumber(a.enable))
		put("emqx_action_status", a.id(), asNumber(s == connected))
		for k, v := range a.sums(q, nodes) {
			put("emqx_action_"+under.Replace(k), a.id(), v)
		}
	}
	for _, c := range q.db.ofKind(kindConnector) {
		s, _ := c.overall(nodes)
		put("emqx_connector_enable", c.id(), asNumber(c.enable))
		put("emqx_connector_status", c.id(), asNumber(s == connected))
	}
	return out
}

func asNumber(b bool) int {
	if b {
		return 1
	}
	return 0
}

// prometheusJSON groups the series. Those with labels of their own become lists.
func (q *request) prometheusJSON(call string, values map[string][]labelled) answer {
	out := obj{}
	lists := map[string]bool{"certs": true, "client": has(q.n.version, "5.8.4")}
	for line := range strings.Lines(prometheusNames) {
		f := strings.Fields(line)
		if f[0] != call {
			continue
		}
		group, _ := out[f[1]].(map[string]any)
		if group == nil {
			group = map[string]any{}
			out[f[1]] = group
		}
		for _, v := range values[f[2]] {
			if len(v.labels) == 0 {
				group[f[2]] = v.value
				continue
			}
			o := map[string]any{f[2]: v.value}
			for _, l := range v.labels {
				o[l[0]] = l[1]
			}
			rows, _ := group[""].([]any)
			group[""] = append(rows, o)
		}
	}
	for name, g := range out {
		group := maps.Clone(g.(map[string]any))
		rows, _ := group[""].([]any)
		delete(group, "")
		switch {
		case lists[name] && len(group) > 0:
			out[name] = append([]any{group}, rows...)
		case lists[name] || len(rows) > 0:
			out[name] = rows
		default:
			out[name] = group
		}
	}
	if flat, ok := out["-"]; ok { // the groups of the other calls are not recorded
		delete(out, "-")
		out[call] = flat
	}
	return asJSON(out)
}
