package emqxsim

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Rules of EMQX 4.4 have actions, and actions use resources. A request about a missing rule
// or resource is a business error, except for a deletion.

// action4 is an action of a rule.
type action4 struct {
	id, name string
	params   obj
}

// actions4 returns the actions of a rule. Those of a rule from [Cluster.AddRule] have only
// the name of a resource.
func actions4(r *rule) []action4 {
	out := []action4{}
	for _, a := range r.actions {
		switch a := a.(type) {
		case action4:
			out = append(out, a)
		case string:
			typ, name, _ := strings.Cut(a, ":")
			out = append(out, action4{
				id: "data_to_" + typ + "_" + r.id, name: "data_to_" + typ, params: obj{"$resource": name},
			})
		}
	}
	return out
}

// rules4 lists the newest rules first, in pages.
func rules4(c *call4) answer {
	list := slices.Clone(c.db.rules)
	slices.Reverse(list)
	return paged4(c, list, len(list), func(r *rule) obj { return showRule(c, r) })
}

func showRule4(c *call4) answer {
	r := c.db.rule(c.params["id"])
	if r == nil {
		return code4(http.StatusNotFound, "Not Found")
	}
	return data4(showRule(c, r))
}

func showRule(c *call4, r *rule) obj {
	actions, metrics := []obj{}, []obj{}
	for _, m := range c.running() {
		n := r.matched[m].at(c.now)
		rate, peak := rates4(r.matched[m])
		metrics = append(metrics, obj{
			"node": m.name, "speed": rate, "speed_max": peak, "speed_last5m": rate,
			"matched": n, "passed": n, "failed": 0, "exception": 0, "no_result": 0,
		})
	}
	for _, a := range actions4(r) {
		taken := []obj{}
		for _, m := range c.running() {
			n, failed := r.matched[m].at(c.now), r.failed[m].at(c.now)
			taken = append(taken, obj{"node": m.name, "taken": n, "success": n - failed, "failed": failed})
		}
		actions = append(actions, obj{
			"id": a.id, "name": a.name, "params": a.params, "metrics": taken, "fallbacks": []obj{},
		})
	}
	return obj{
		"id": r.id, "rawsql": r.sql, "for": r.from, "enabled": r.enable, "description": r.description,
		"created_at": r.created.UnixMilli(), "on_action_failed": "continue", "actions": actions, "metrics": metrics,
	}
}

// rates4 returns the rate of a meter and its peak.
func rates4(m *meter) (rate, peak float64) {
	if m == nil {
		return 0, 0
	}
	return m.rate, m.peak
}

// createRule4 creates a rule. Without SQL, or with an unknown action, the broker crashes. A
// rule whose resource does not work is created, but disabled.
func createRule4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	if c.URL.Query().Get("test") == "true" {
		return notFound4() // testing SQL is not simulated
	}
	sql, ok := in["rawsql"].(string)
	actions, known := c.actions(in["actions"])
	if !ok || !known {
		return crashed4()
	}
	topics, good := topicsOf(sql)
	if !good {
		return code4(http.StatusBadRequest, "Bad Arguments: "+syntaxError(sql))
	}
	r := &rule{
		id: text(in["id"]), sql: sql, from: topics, enable: true, created: c.now, modified: c.now, actions: actions,
	}
	if r.id == "" {
		r.id = "rule:" + c.db.id()
	}
	if c.db.rule(r.id) != nil {
		return code4(http.StatusBadRequest, `Bad Arguments: {already_exists,<<"`+r.id+`">>}`) // not recorded
	}
	r.name = r.id
	changeRule4(r, in)
	r.enable = r.enable && c.works(r)
	c.db.rules = append(c.db.rules, r)
	return data4(showRule(c, r))
}

// changeRule4 applies the fields of the body other than SQL and actions.
func changeRule4(r *rule, in obj) {
	if v, ok := in["enabled"].(bool); ok {
		r.enable = v
	}
	if v, ok := in["description"].(string); ok {
		r.description = v
	}
}

// works reports whether every resource of a rule is alive.
func (c *call4) works(r *rule) bool {
	return !slices.ContainsFunc(actions4(r), func(a action4) bool {
		id := text(a.params["$resource"])
		res := c.resource(id)
		return id != "" && (res == nil || !res.alive(c.n))
	})
}

// actions reads the actions of a rule. It returns false if one of them is unknown.
func (c *call4) actions(in any) ([]any, bool) {
	given, _ := in.([]any)
	out := []any{}
	for i, one := range given {
		o, _ := one.(map[string]any)
		name := text(o["name"])
		defaults, known := actionDefaults4[name]
		if !known {
			return nil, false
		}
		params := obj{}
		maps.Copy(params, defaults)
		given, _ := o["params"].(map[string]any)
		maps.Copy(params, given)
		out = append(out, action4{
			id: fmt.Sprintf("%s_%d", name, c.now.UnixNano()+int64(i)), name: name, params: params,
		})
	}
	return out, true
}

// actionDefaults4 holds the known actions and the defaults of their parameters.
var actionDefaults4 = map[string]obj{
	"inspect": {}, "do_nothing": {},
	"republish": {"target_topic": "repub/to/${clientid}", "target_qos": 0, "payload_tmpl": "${payload}"},
	"data_to_webserver": {"method": "POST", "path": "", "headers": obj{"content-type": "application/json"},
		"body": ""},
	"data_to_mqtt_broker": {"forward_topic": "", "payload_tmpl": ""},
	"data_to_kafka":       {}, "data_to_mysql": {}, "data_to_pgsql": {}, "data_to_redis": {},
}

func updateRule4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	r := c.db.rule(c.params["id"])
	if r == nil {
		return code4(http.StatusBadRequest, "Rule "+c.params["id"]+" Not Found") // not recorded
	}
	sql, topics, actions := r.sql, r.from, r.actions
	if given, ok := in["rawsql"].(string); ok {
		if topics, ok = topicsOf(given); !ok {
			return code4(http.StatusBadRequest, "Bad Arguments: "+syntaxError(given))
		}
		sql = given
	}
	if given, ok := in["actions"]; ok {
		if actions, ok = c.actions(given); !ok {
			return crashed4()
		}
	}
	r.sql, r.from, r.actions, r.modified = sql, topics, actions, c.now
	changeRule4(r, in)
	return data4(showRule(c, r))
}

// deleteRule4 also succeeds for a rule that does not exist.
func deleteRule4(c *call4) answer {
	c.db.rules = slices.DeleteFunc(c.db.rules, func(r *rule) bool { return r.id == c.params["id"] })
	return done4()
}

func resetRule4(c *call4) answer {
	if r := c.db.rule(c.params["id"]); r != nil {
		r.matched, r.failed = nil, nil
	}
	return done4()
}

// The tokens of the parser are names, and anything between spaces and commas.
var (
	sqlWord  = regexp.MustCompile(`[^\s,]+`)
	nameWord = regexp.MustCompile(`^\w+$`)
)

// syntaxError returns the message of the broker's parser when it fails at the first word.
// The message states the length of each token.
func syntaxError(sql string) string {
	words := sqlWord.FindAllString(sql, -1)
	if len(words) == 0 {
		return "{parse_error,empty_sql}"
	}
	tokens := make([]string, len(words))
	for i, w := range words {
		tokens[i] = fmt.Sprintf("{'%s',%d}", w, len(w))
		if nameWord.MatchString(w) {
			tokens[i] = fmt.Sprintf("{'NAME',%d,%q}", len(w), w)
		}
	}
	return fmt.Sprintf(`{parse_error,{"%d: syntax error before: \"%s\"",[%s]}}`, len(words[0]), words[0],
		strings.Join(tokens, ","))
}
