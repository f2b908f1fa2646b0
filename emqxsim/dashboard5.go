package emqxsim

import "strings"

// dashboard5 answers with a file of the page.
func dashboard5(q *request) answer {
	a, ok := pageFile("page5", q.Request)
	if !ok {
		return unknownPath5(q.Request)
	}
	return a
}

// swagger5 names the calls; their schemas are not simulated.
func swagger5(q *request) answer {
	paths := obj{}
	for i := range q.table {
		r := &q.table[i]
		path, ok := strings.CutPrefix(r.path, base5)
		if !ok || !r.available(q.n.version, q.c.cfg.Edition) {
			continue
		}
		o, _ := paths[path].(obj)
		if o == nil {
			o = obj{}
			paths[path] = o
		}
		o[strings.ToLower(r.method)] = obj{"responses": obj{}}
	}
	return asJSON(obj{"openapi": "3.0.0", "info": obj{"title": "EMQX API", "version": q.n.version}, "servers": []obj{{"url": base5}}, "paths": paths})
}

// fixed answers the same always.
func fixed(v any) func(*request) answer { return func(*request) answer { return asJSON(v) } }
