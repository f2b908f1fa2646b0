package emqxsim

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func rule5(q *request, r *rule) any {
	return fields(q.n.version,
		field{key: "id", value: r.id}, field{key: "name", value: r.name}, field{key: "sql", value: r.sql},
		field{key: "from", value: r.from}, field{key: "actions", value: r.shown()},
		field{key: "enable", value: r.enable},
		field{key: "description", value: r.description}, field{key: "created_at", value: rfc3339(r.created)},
		field{key: "last_modified_at", since: "5.8.0", value: rfc3339(r.modified)},
	)
}

// shown returns the actions with their defaults.
func (r *rule) shown() []any {
	out := []any{}
	for _, a := range r.actions {
		f, ok := a.(map[string]any)
		if !ok || f["function"] != "republish" {
			out = append(out, a)
			continue
		}
		args := map[string]any{
			"direct_dispatch": false, "mqtt_properties": obj{}, "payload": "${payload}", "qos": 0,
			"retain": "${retain}", "user_properties": "${user_properties}",
		}
		given, _ := f["args"].(map[string]any)
		for k, v := range given {
			args[k] = v
		}
		out = append(out, obj{"function": "republish", "args": args})
	}
	return out
}

// rules5 lists the rules that match every filter of the query.
func rules5(q *request) answer {
	v := q.URL.Query()
	for _, name := range []string{"page", "limit"} {
		if _, err := strconv.Atoi(cmp.Or(v.Get(name), "1")); err != nil {
			return fail5(http.StatusInternalServerError, "INTERNAL_ERROR", "error, badarg") // words not recorded
		}
	}
	rows := slices.DeleteFunc(slices.Clone(q.db.rules), func(r *rule) bool {
		return v.Has("enable") && v.Get("enable") != strconv.FormatBool(r.enable) ||
			v.Has("from") && !slices.Contains(r.from, v.Get("from")) ||
			!strings.Contains(r.id, v.Get("like_id")) || !strings.Contains(r.description, v.Get("like_description")) ||
			v.Has("like_from") && !slices.ContainsFunc(r.from,
				func(f string) bool { return strings.Contains(f, v.Get("like_from")) }) ||
			v.Has("match_from") && !slices.ContainsFunc(r.from,
				func(f string) bool { return matches(f, v.Get("match_from")) }) ||
			v.Has("action") && !r.uses(v.Get("action")) || v.Has("source") && !r.uses(v.Get("source"))
	})
	return paged(q, rows, func(r *rule) any { return rule5(q, r) })
}

// mapKey matches a name in the configuration of EMQX 5.
var mapKey = regexp.MustCompile(`^[A-Za-z0-9]+[A-Za-z0-9_-]*$`)

func isMapKey(v any) bool { return mapKey.MatchString(text(v)) }

var ruleBody = []input{
	{name: "id", expected: "binary()", ok: isString}, {name: "name", expected: "binary()", ok: isString}, {name: "sql"},
	{name: "actions", expected: "array()", ok: func(v any) bool { _, ok := v.([]any); return ok }},
	{name: "enable", expected: "boolean()", ok: isBool}, {name: "description", expected: "binary()", ok: isString},
	{name: "metadata"}, {name: "created_at"}, {name: "last_modified_at"}, {name: "from"}, {name: "tags"},
}

// ruleFrom reads a rule from a body. Errors in the SQL have the broker's texts, except for
// those of its parser.
func (q *request) ruleFrom(in obj, id string, r *rule) *answer {
	path := "rule_engine.rules." + id + ".sql"
	sql, given := in["sql"].(string)
	if !given {
		a := bad5("Bad Arguments: #{kind => validation_error,path => \"" + path + "\",reason => required_field}")
		return &a
	}
	from, ok := topicsOf(sql)
	if !ok {
		a := bad5(fmt.Sprintf("Bad Arguments: #{kind => validation_error,path => %q,reason => %s,value "+
			"=> <<%q>>}", path,
			syntaxError(sql), sql))
		return &a
	}
	r.id, r.sql, r.from = id, sql, from
	actions, _ := in["actions"].([]any)
	if i := slices.IndexFunc(actions, func(a any) bool { return !isRuleAction(a) }); i >= 0 {
		// Words not recorded
		a := bad5(fmt.Sprintf("Bad Arguments: #{kind => validation_error,path => %q,reason => invalid_action}",
			"rule_engine.rules."+id+".actions."+strconv.Itoa(i+1)))
		return &a
	}
	r.name, r.description, r.enable = in.text("name"), in.text("description"), in.flag("enable", true)
	r.actions = actions
	r.modified = q.now
	return nil
}

// isRuleAction reports whether a rule can have the action: a type and name, which need not
// exist, or a function of the broker.
func isRuleAction(v any) bool {
	if o, ok := asObject(v); ok {
		return slices.Contains([]string{"republish", "console"}, o.text("function"))
	}
	typ, name, _ := strings.Cut(text(v), ":")
	return typ != "" && name != ""
}

func createRule5(q *request) answer {
	in, bad := q.object("root.", ruleBody)
	if bad != nil {
		return *bad
	}
	id := in.text("id")
	if id == "" {
		id = "rule_" + hexOf("rule "+q.db.id()+q.now.String(), 4)
	}
	if q.db.rule(id) != nil {
		return bad5("rule id already exists")
	}
	return q.addRule(in, id, http.StatusCreated)
}

// addRule creates a rule from a body.
func (q *request) addRule(in obj, id string, status int) answer {
	if !isMapKey(id) {
		// Words not recorded
		return bad5(fmt.Sprintf("Bad Arguments: #{kind => validation_error,path => \"rule_engine.rules\",reason => "+
			"invalid_map_key,got => <<%q>>}", id))
	}
	r := &rule{created: q.now}
	if bad := q.ruleFrom(in, id, r); bad != nil {
		return *bad
	}
	q.db.rules = append(q.db.rules, r)
	return jsonWith(status, rule5(q, r))
}

// ofRule answers a call about the rule in the path.
func ofRule(do func(q *request, r *rule) answer) func(*request) answer {
	return func(q *request) answer {
		r := q.db.rule(q.params["id"])
		if r == nil {
			return notFound5("Rule Id Not Found")
		}
		return do(q, r)
	}
}

// updateRule5 creates the rule if it does not exist, as recorded.
func updateRule5(q *request) answer {
	in, bad := q.object("root.", ruleBody)
	if bad != nil {
		return *bad
	}
	r := q.db.rule(q.params["id"])
	if r == nil {
		return q.addRule(in, q.params["id"], http.StatusOK)
	}
	if _, given := in["description"]; !given {
		in["description"] = r.description // kept, as recorded
	}
	if bad := q.ruleFrom(in, r.id, r); bad != nil {
		return *bad
	}
	return asJSON(rule5(q, r))
}

func deleteRule5(q *request, r *rule) answer {
	q.db.rules = slices.DeleteFunc(q.db.rules, func(o *rule) bool { return o == r })
	return empty(http.StatusNoContent)
}

func resetRule5(q *request, r *rule) answer {
	for _, n := range q.n.visible(q.now) {
		meterOf(&r.matched, n).reset(q.now)
		meterOf(&r.failed, n).reset(q.now)
	}
	return empty(http.StatusNoContent)
}

// reset sets the counter to zero and keeps the rate.
func (m *meter) reset(t time.Time) { m.base, m.since, m.peak = 0, t, m.rate }

// sums returns the counters of a rule over nodes.
func (r *rule) sums(q *request, nodes []*Node) map[string]int {
	matched, failed, actions := 0, 0, 0
	for _, a := range r.actions {
		if id, ok := a.(string); !ok || q.db.resource(kindAction, id) != nil {
			actions++
		}
	}
	for _, n := range nodes {
		matched += r.matched[n].at(q.now)
		failed += r.failed[n].at(q.now)
	}
	return map[string]int{
		"matched": matched, "passed": matched, "failed": 0, "failed.exception": 0, "failed.no_result": 0,
		"actions.total": matched * actions, "actions.success": matched*actions - failed, "actions.failed": failed,
		"actions.failed.out_of_service": failed, "actions.failed.unknown": 0, "actions.discarded": 0,
	}
}

// speed returns the rate over nodes as the broker rounds it, and its peak. The average of
// the last five minutes is the present rate.
func speed(meters map[*Node]*meter, nodes []*Node) (rate, peak float64) {
	for _, n := range nodes {
		if m := meters[n]; m != nil {
			rate, peak = rate+m.rate, peak+m.peak
		}
	}
	return math.Round(rate*100) / 100, math.Round(peak*100) / 100
}

func (r *rule) metrics5(q *request, nodes []*Node) obj {
	o := obj{}
	for k, v := range r.sums(q, nodes) {
		o[k] = v
	}
	if !has(q.n.version, "5.7.0") {
		delete(o, "actions.discarded")
	}
	rate, peak := speed(r.matched, nodes)
	o["matched.rate"], o["matched.rate.max"], o["matched.rate.last5m"] = rate, peak, rate
	return o
}

func ruleMetrics5(q *request, r *rule) answer {
	o := withNodes(q, r.metrics5)
	o["id"] = r.id
	return asJSON(o)
}

// withNodes returns metrics of all nodes together and of each node.
func withNodes(q *request, metrics func(*request, []*Node) obj) obj {
	each := []obj{}
	nodes := q.n.visible(q.now)
	for _, n := range nodes {
		each = append(each, obj{"node": n.name, "metrics": metrics(q, []*Node{n})})
	}
	return obj{"metrics": metrics(q, nodes), "node_metrics": each}
}
