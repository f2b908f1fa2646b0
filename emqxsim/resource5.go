package emqxsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// resourceType describes a type of connectors: its required field and its defaults. Other
// types accept any configuration.
type resourceType struct {
	required   string
	fill       obj
	parameters obj    // defaults of an action's parameters
	optional   string // fields beside those with a default; if it is empty, any
}

var tls5 = obj{
	"ciphers": []string{}, "depth": 10, "enable": false, "hibernate_after": "5s", "log_level": "notice",
	"reuse_sessions": true, "secure_renegotiate": true, "verify": "verify_none", "versions": []string{
		"tlsv1.3", "tlsv1.2",
	},
}

var headers5 = obj{
	"accept": "application/json", "cache-control": "no-cache", "connection": "keep-alive",
	"content-type": "application/json", "keep-alive": "timeout=5",
}

var resourceTypes = map[string]resourceType{
	"http": {
		required: "url",
		fill: obj{
			"connect_timeout": "15s", "enable_pipelining": 100, "headers": headers5, "pool_size": 8,
			"pool_type": "random",
			"ssl":       tls5,
		},
		parameters: obj{"headers": headers5, "max_retries": 2, "method": "post"},
		optional:   "request retry_interval max_inactive",
	},
	"mqtt": {
		required: "server",
		fill: obj{
			"bridge_mode": false, "clean_start": true, "connect_timeout": "10s", "keepalive": "160s",
			"max_inflight": 32,
			"pool_size":    8, "proto_ver": "v4", "retry_interval": "15s", "ssl": tls5, "static_clientids": []string{},
		},
		parameters: obj{"retain": false, "qos": 0},
		optional:   "clientid_prefix username password mode reconnect_interval",
	},
}

// otherTypes are the other types that the recorded broker lists.
var otherTypes = strings.Fields(`cassandra rabbitmq rocketmq kafka_producer kafka_consumer mongodb
	confluent_producer influxdb pulsar hstreamdb iotdb azure_event_hub_producer greptimedb sqlserver
	syskeeper_forwarder syskeeper_proxy gcp_pubsub_producer gcp_pubsub_consumer kinesis redis opents datalayers s3
	azure_blob_storage oracle couchbase timescale tablestore clickhouse tdengine snowflake matrix elasticsearch
	mysql pgsql dynamo`)

// fillOptions are the defaults of resource_opts, by kind.
var fillOptions = map[string]obj{
	kindConnector: {"health_check_interval": "15s", "start_after_created": true, "start_timeout": "5s"},
	kindAction: {
		"health_check_interval": "15s", "inflight_window": 100, "max_buffer_bytes": "256MB",
		"query_mode": "async", "request_ttl": "45s", "worker_pool_size": 16,
	},
	kindSource: {"health_check_interval": "15s"},
}

// withDefaults merges what is given into the defaults, object by object.
func withDefaults(fill, given map[string]any) obj {
	out := maps.Clone(fill)
	if out == nil {
		out = obj{}
	}
	for k, v := range given {
		under, a := asObject(out[k])
		over, b := asObject(v)
		if a && b && k != "headers" {
			out[k] = withDefaults(under, over)
			continue
		}
		out[k] = v
	}
	return out
}

func asObject(v any) (obj, bool) {
	switch v := v.(type) {
	case obj:
		return v, true
	case map[string]any:
		return v, true
	}
	return nil, false
}

// maskSecrets hides secrets as the broker does.
func maskSecrets(v any) any {
	o, ok := asObject(v)
	if !ok {
		return v
	}
	out := obj{}
	for k, v := range o {
		switch strings.ToLower(k) {
		case "password", "secret", "authorization", "access_key_secret", "secret_access_key", "token", "security_token":
			if _, text := v.(string); text {
				v = "******"
			}
		}
		out[k] = maskSecrets(v)
	}
	return out
}

func (r *resource) show(q *request) any {
	nodes := q.n.visible(q.now)
	o := obj{}
	for k, v := range r.conf {
		o[k] = maskSecrets(v)
		if k == "password" {
			o[k] = "******"
		}
	}
	status, reason := r.overall(nodes)
	o["type"], o["name"], o["enable"], o["status"] = r.typ, r.name, r.enable, status
	o["node_status"] = r.nodeStatus(nodes)
	if r.kind == kindConnector {
		o["actions"], o["sources"] = q.db.channels(kindAction, r), q.db.channels(kindSource, r)
		if status != connected && status != stopped {
			o["status_reason"] = reason
		}
	} else {
		o["rules"], o["error"], o["status_reason"], o["connector"] = q.db.usedBy(r.id()), reason, reason,
			r.connector.name
		o["created_at"], o["last_modified_at"] = r.created.UnixMilli(), r.modified.UnixMilli()
	}
	if _, there := o["description"]; !there {
		o["description"] = ""
	}
	return o
}

// nodeStatus returns the state on each node. A connector that is connected or stopped has
// no reason, an action an empty one.
func (r *resource) nodeStatus(nodes []*Node) []obj {
	out := []obj{}
	for _, n := range nodes {
		status, reason := r.status(n)
		o := obj{"node": n.name, "status": status}
		if status != connected && status != stopped || r.kind != kindConnector {
			o["status_reason"] = reason
		}
		out = append(out, o)
	}
	return out
}

func list5(kind string) func(*request) answer {
	return func(q *request) answer {
		out := []any{}
		for _, r := range q.db.ofKind(kind) {
			out = append(out, r.show(q))
		}
		return asJSON(out)
	}
}

func summary5(kind string) func(*request) answer {
	return func(q *request) answer {
		out := []obj{}
		for _, r := range q.db.ofKind(kind) {
			o := r.show(q).(obj)
			s := obj{}
			for _, k := range strings.Fields("created_at description enable last_modified_at name node_status " +
				"rules status " +
				"status_reason type") {
				s[k] = o[k]
			}
			out = append(out, s)
		}
		return asJSON(out)
	}
}

// ofResource answers a call about the resource in the path.
func ofResource(kind string, do func(q *request, r *resource) answer) func(*request) answer {
	return func(q *request) answer {
		id := q.params["id"]
		typ, name, ok := strings.Cut(id, ":")
		if !ok {
			return notFound5("Invalid id, it must be of format {type}:{name}") // not recorded
		}
		r := q.db.resource(kind, id)
		if r == nil && kind == kindConnector {
			return notFound5(fmt.Sprintf("Connector lookup failed: connector named '%s' of type %s does "+
				"not exist.", name, typ))
		}
		if r == nil {
			return notFound5(fmt.Sprintf("Bridge lookup failed: bridge named '%s' of type %s does not exist.", name,
				typ))
		}
		return do(q, r)
	}
}

func showResource5(q *request, r *resource) answer { return asJSON(r.show(q)) }

// resourceBody accepts anything beside the fields of every resource.
var resourceBody = []input{
	{name: "type", required: true, expected: "binary()", ok: isString}, {name: "name", required: true,
		expected: mapKey.String(), ok: isMapKey},
	{name: "enable", expected: "boolean()", ok: isBool}, {name: ""},
}

func createResource5(kind string) func(*request) answer {
	return func(q *request) answer {
		in, bad := q.object("root.", resourceBody)
		if bad != nil {
			return *bad
		}
		r := &resource{kind: kind, typ: in.text("type"), name: in.text("name")}
		if q.db.resource(kind, r.id()) != nil {
			what := map[string]string{
				kindConnector: "connector already exists", kindAction: "bridge already exists",
				kindSource: "bridge already exists",
			}
			return fail5(http.StatusBadRequest, "ALREADY_EXISTS", what[kind])
		}
		if bad := q.configure(r, in); bad != nil {
			return *bad
		}
		q.db.add(r, q.now)
		return jsonWith(http.StatusCreated, r.show(q))
	}
}

// configure checks a body and makes it the configuration of r.
func (q *request) configure(r *resource, in obj) *answer {
	typ, known := resourceTypes[r.typ]
	if !known && !slices.Contains(otherTypes, r.typ) {
		what := strings.TrimSuffix(r.kind, "s")
		a := bad5(fmt.Sprintf(
			`{"value":%q,"reason":"unknown %s type","path":"root","kind":"validation_error","field_name":"type"}`,
			r.typ, what))
		return &a
	}
	conf := withDefaults(obj{"resource_opts": fillOptions[r.kind]}, in)
	for _, k := range []string{"type", "name", "enable", "connector"} {
		delete(conf, k)
	}
	if r.kind == kindConnector {
		if typ.required != "" && in[typ.required] == nil {
			a := bad5(fmt.Sprintf(`{"reason":"required_field","path":"root.%s",`+
				`"matched_type":"bridge_%s:post_connector","kind":"validation_error"}`, typ.required, r.typ))
			return &a
		}
		if bad := typ.unknown(in); bad != nil {
			return bad
		}
		conf = withDefaults(typ.fill, conf)
	} else {
		r.connector = q.db.resource(kindConnector, r.typ+":"+in.text("connector"))
		if r.connector == nil {
			a := bad5(fmt.Sprintf(`{"reason":"connector_not_found_or_wrong_type","connector_name":%q,`+
				`"conf_root_key":%q,"bridge_type":%q,"bridge_name":%q}`,
				in.text("connector"), r.kind, r.typ, r.name))
			return &a
		}
		given, ok := in["parameters"].(map[string]any)
		if !ok {
			a := missing("root.parameters")
			return &a
		}
		fill := typ.parameters
		if r.kind == kindSource {
			fill = obj{"no_local": false, "qos": 0}
		}
		conf["parameters"] = withDefaults(fill, given)
	}
	r.conf, r.enable, r.modified = conf, in.flag("enable", true), q.now
	return nil
}

// common are the fields of every connector, and those that are only shown.
var common = setOf("type name enable description tags resource_opts status status_reason node_status actions " +
	"sources created_at last_modified_at")

// unknown refuses a field that the type does not have.
func (t resourceType) unknown(in obj) *answer {
	if t.optional == "" {
		return nil
	}
	for name := range in {
		if _, fills := t.fill[name]; !fills && !common[name] && name != t.required &&
			!slices.Contains(strings.Fields(t.optional), name) {
			a := unknownField(name, "root", nil) // the list of known fields is not simulated
			return &a
		}
	}
	return nil
}

func deleteResource5(q *request, r *resource) answer {
	if r.kind == kindConnector {
		var used []string
		for _, kind := range []string{kindAction, kindSource} {
			for _, name := range q.db.channels(kind, r) {
				used = append(used, fmt.Sprintf(`{<<"%s:%s:%s:connector:%s">>,#{}}`, strings.TrimSuffix(kind, "s"),
					r.typ, name,
					r.id()))
			}
		}
		if len(used) > 0 { // the real message also has their configuration
			return bad5(`{<<"Cannot delete connector while there are active channels defined for this connector">>,[` +
				strings.Join(used, ",") + `]}`)
		}
	} else if rules := q.db.usedBy(r.id()); len(rules) > 0 && q.URL.Query().Get("also_delete_dep_actions") != "true" {
		what := strings.TrimSuffix(r.kind, "s")
		return jsonWith(http.StatusBadRequest, obj{"code": "BAD_REQUEST", "message": "Cannot delete " + what +
			" while active rules are depending on it", "rules": rules})
	}
	q.db.remove(r)
	return empty(http.StatusNoContent)
}

func enableResource5(q *request, r *resource) answer {
	switch q.params["enable"] {
	case "true":
		r.enable = true
	case "false":
		r.enable = false
	default:
		return invalid(q.params["enable"], "boolean()", "enable")
	}
	r.modified = q.now
	return empty(http.StatusNoContent)
}

func startResource5(q *request, r *resource) answer {
	if !r.enable {
		return bad5("Forbidden operation, connector not enabled") // not recorded
	}
	if status, reason := r.overall(q.n.visible(q.now)); status != connected {
		return bad5(reason)
	}
	return empty(http.StatusNoContent)
}

// probe5 tries a connector without keeping it.
func probe5(q *request) answer {
	in, bad := q.object("root.", resourceBody)
	if bad != nil {
		return *bad
	}
	r := &resource{kind: kindConnector, typ: in.text("type"), name: in.text("name")}
	if bad := q.configure(r, in); bad != nil {
		return *bad
	}
	if status, reason := r.status(q.n); status != connected {
		return fail5(http.StatusBadRequest, "TEST_FAILED", reason)
	}
	return empty(http.StatusNoContent)
}

// sums returns the counters of an action over nodes.
func (r *resource) sums(q *request, nodes []*Node) map[string]int {
	matched, failed := 0, 0
	for _, n := range nodes {
		matched += r.matched[n].at(q.now)
		failed += r.failed[n].at(q.now)
	}
	o := map[string]int{
		"matched": matched, "success": matched - failed, "dropped": failed, "dropped.resource_stopped": failed,
	}
	for _, k := range strings.Fields("failed queuing queuing_bytes retried inflight late_reply received " +
		"dropped.expired dropped.other dropped.queue_full dropped.resource_not_found") {
		o[k] = 0
	}
	return o
}

func (r *resource) metrics5(q *request, nodes []*Node) obj {
	o := obj{}
	for k, v := range r.sums(q, nodes) {
		o[k] = v
	}
	rate, peak := speed(r.matched, nodes)
	o["rate"], o["rate_max"], o["rate_last5m"] = rate, peak, rate
	return o
}

func resourceMetrics5(q *request, r *resource) answer { return asJSON(withNodes(q, r.metrics5)) }

// types5 lists the types of actions, or of sources.
func types5(q *request) answer {
	if strings.HasSuffix(q.URL.Path, "/source_types") {
		return asJSON(strings.Fields("rabbitmq kafka_consumer gcp_pubsub_consumer mqtt"))
	}
	names := append([]string{"http", "mqtt"}, otherTypes...)
	return asJSON(slices.DeleteFunc(names, func(n string) bool {
		return strings.HasSuffix(n, "_consumer") ||
			n == "syskeeper_proxy"
	}))
}
