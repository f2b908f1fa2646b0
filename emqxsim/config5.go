package emqxsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// configs5 returns the defaults of those roots of the configuration that the JSON form has.
func configs5(q *request) obj {
	return obj{
		"alarm":  obj{"actions": []string{"log", "publish"}, "size_limit": 1000, "validity_period": "24h"},
		"broker": obj{"enable_session_registry": true, "session_history_retain": "0s"},
		"dashboard": obj{
			"cors": false, "default_password": "******", "swagger_support": true, "token_expired_time": "60m",
			"listeners": obj{"http": obj{
				"backlog": 1024, "bind": "0.0.0.0:18083", "inet6": false, "ipv6_v6only": false, "max_connections": 512,
				"num_acceptors": 2, "proxy_header": false, "send_timeout": "10s",
			}},
		},
		"log": obj{
			"console": logHandler(false, ""), "file": obj{"default": logHandler(true, "emqx.log")},
			"throttling": obj{"time_window": "1m"},
			"audit": obj{
				"enable": false, "ignore_high_frequency_request": true, "level": "info", "max_filter_size": 5000,
				"path":           "${EMQX_LOG_DIR}/audit.log",
				"payload_encode": "text", "rotation_count": 10, "rotation_size": "50MB", "time_offset": "system",
				"timestamp_format": "auto",
			},
		},
		"sys_topics": obj{
			"sys_heartbeat_interval": "30s", "sys_msg_interval": "1m",
			"sys_event_messages": obj{
				"client_connected": true, "client_disconnected": true, "client_subscribed": false,
				"client_unsubscribed": false,
			},
		},
		"sysmon": obj{
			"broker_pool_mailbox_size_alarm_threshold": 500, "mnesia_tm_mailbox_size_alarm_threshold": 500,
			"os": obj{
				"cpu_check_interval": "60s", "cpu_high_watermark": "80%", "cpu_low_watermark": "60%",
				"mem_check_interval":     "60s",
				"procmem_high_watermark": "5%", "sysmem_high_watermark": "70%",
			},
			"vm": obj{
				"busy_dist_port": true, "busy_port": true, "large_heap": "32MB", "long_gc": "disabled",
				"long_schedule":          "240ms",
				"process_check_interval": "30s", "process_high_watermark": "80%", "process_low_watermark": "60%",
			},
		},
	}
}

// unlisted5 returns the defaults of roots that only the HOCON form has.
func unlisted5(q *request) obj {
	return obj{
		"cluster": obj{
			"autoclean": "24h", "autoheal": true, "discovery_strategy": "manual", "name": clusterName,
			"proto_dist": "inet_tcp",
		},
		"node": obj{"name": q.n.name, "cookie": "******", "data_dir": "/opt/emqx/data", "role": q.n.role},
	}
}

func logHandler(enable bool, file string) obj {
	o := obj{
		"enable": enable, "formatter": "text", "level": "warning", "payload_encode": "text", "time_offset": "system",
		"timestamp_format": "auto",
	}
	if file != "" {
		o["path"], o["rotation_count"], o["rotation_size"] = "${EMQX_LOG_DIR}/"+file, 10, "50MB"
	}
	return o
}

// config returns the configuration in force.
func (q *request) config() obj {
	out, over := configs5(q), q.n.inForce()
	for root := range out {
		own, _ := asObject(over[root])
		under, _ := asObject(out[root])
		out[root] = withDefaults(under, own)
	}
	return out
}

// readConfig5 answers in JSON or HOCON, depending on the Accept header.
func readConfig5(q *request) answer {
	if node := q.URL.Query().Get("node"); node != "" && !slices.Contains(nodeNames(q.n.visible(q.now)), node) {
		return fail5(http.StatusNotFound, "NOT_FOUND", "Node not found: "+node)
	}
	accept := q.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "application/json"): // the parameter key is ignored, as recorded
		return asJSON(q.config())
	case accept == "" || strings.Contains(accept, "*/*") || strings.Contains(accept, "text/plain"):
		all := q.fullConfig()
		if key := q.URL.Query().Get("key"); key != "" {
			if all[key] == nil {
				return notFound5("Config key not found: " + key) // not recorded
			}
			all = obj{key: all[key]}
		}
		var b strings.Builder
		writeHOCON(&b, all, "")
		return asText(http.StatusOK, b.String())
	}
	return fail5(http.StatusBadRequest, "INVALID_ACCEPT", "Accept must be text/plain or application/json")
}

// writeHOCON writes an object with its keys in order.
func writeHOCON(b *strings.Builder, o obj, indent string) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		switch v := o[k].(type) {
		case obj, map[string]any:
			inner, _ := asObject(v)
			if len(inner) == 0 {
				fmt.Fprintf(b, "%s%s {}\n", indent, k)
				continue
			}
			fmt.Fprintf(b, "%s%s {\n", indent, k)
			writeHOCON(b, inner, indent+"  ")
			fmt.Fprintf(b, "%s}\n", indent)
		case string:
			fmt.Fprintf(b, "%s%s = %s\n", indent, k, hoconText(v))
		case []string:
			fmt.Fprintf(b, "%s%s = [%s]\n", indent, k, strings.Join(v, ", "))
		default:
			fmt.Fprintf(b, "%s%s = %s\n", indent, k, hoconValue(v))
		}
	}
}

// hoconText quotes a string with EMQX's escapes.
func hoconText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text) + `"`
}

// hoconValue writes a value within a list, or a number or a boolean.
func hoconValue(v any) string {
	switch v := v.(type) {
	case string:
		return hoconText(v)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = hoconValue(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case obj, map[string]any:
		inner, _ := asObject(v)
		var b strings.Builder
		writeHOCON(&b, inner, "  ")
		return "{\n" + b.String() + "}"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

func readRoot5(q *request) answer {
	root := q.config()[q.params["root"]]
	if root == nil {
		return unknownPath5(q.Request)
	}
	return asJSON(root)
}

// putRoot5 merges the body into a root, stores the whole root, and returns what is in force
// then.
func putRoot5(q *request) answer {
	in, bad := q.object("", []input{{name: ""}})
	if bad != nil {
		return *bad
	}
	root := q.params["root"]
	if configs5(q)[root] == nil {
		return unknownPath5(q.Request)
	}
	was, _ := asObject(q.config()[root])
	q.store(root, withDefaults(was, in))
	q.n.logEvent(q.now, configChanges, "root", root)
	return asJSON(q.config()[root])
}
