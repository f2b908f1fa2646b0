package emqxsim

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// rule is one rule of the rule engine.
type rule struct {
	id, name, sql, description string
	actions                    []any // as given: "type:name" or a function
	enable                     bool
	created, modified          time.Time
	from                       []string // topics, read from the SQL
	matched                    map[*Node]*meter
	failed                     map[*Node]*meter // messages for actions that were not in service
}

// The topics of a rule are quoted and stand between FROM and WHERE.
var (
	selects = regexp.MustCompile(`(?is)^\s*(select|foreach)\s.+?\sfrom\s+(.+?)(\swhere\s.*)?$`)
	quoted  = regexp.MustCompile(`"([^"]*)"|'([^']*)'`)
)

// topicsOf reads the topics of a rule's SQL. It returns false if the text is not SQL.
func topicsOf(sql string) ([]string, bool) {
	m := selects.FindStringSubmatch(sql)
	if m == nil {
		return nil, false
	}
	topics := []string{}
	for _, q := range quoted.FindAllStringSubmatch(m[2], -1) {
		topics = append(topics, q[1]+q[2])
	}
	return topics, len(topics) > 0
}

// uses reports whether the rule has an action or source, given as "type:name".
func (r *rule) uses(id string) bool {
	return slices.ContainsFunc(r.actions, func(a any) bool { return a == id }) ||
		slices.Contains(r.from, "$bridges/"+id) || slices.Contains(r.from, "$sources/"+id)
}

func (d *database) rule(id string) *rule {
	i := slices.IndexFunc(d.rules, func(r *rule) bool { return r.id == id })
	if i < 0 {
		return nil
	}
	return d.rules[i]
}

func (d *database) usedBy(id string) []string {
	out := []string{}
	for _, r := range d.rules {
		if r.uses(id) {
			out = append(out, r.id)
		}
	}
	return out
}

// AddRule adds a rule with actions, each given as "type:name". It panics if the SQL is
// wrong or the id is taken.
func (c *Cluster) AddRule(id, sql string, actions ...string) {
	c.change(func(t time.Time) {
		from, ok := topicsOf(sql)
		if !ok || c.db.rule(id) != nil {
			panic("emqxsim: rule " + id + " cannot be made of " + sql)
		}
		r := &rule{id: id, name: id, sql: sql, from: from, enable: true, created: t, modified: t}
		for _, a := range actions {
			r.actions = append(r.actions, a)
		}
		c.db.rules = append(c.db.rules, r)
	})
}

// matches reports whether a topic filter matches a topic, as MQTT defines it.
func matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") && (f[0] == "+" || f[0] == "#") {
		return false
	}
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(t) || level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}
