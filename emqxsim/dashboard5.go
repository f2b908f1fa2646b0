package emqxsim

import (
	_ "embed"

	"strings"
)

// The dashboard is a small page with the real one's habits: assets beside it,
// routes behind the "#", calls to a relative api/v5, and what a login gave in
// localStorage under uKV5; "#/login?login_meta=" hands one over.
var (
	//go:embed keys/dashboard5.html
	dashboardPage string
	//go:embed keys/dashboard5.js
	dashboardScript string
)

func dashboard5(*request) answer {
	return answer{contentType: "text/html", body: dashboardPage}
}

func dashboardScript5(*request) answer {
	return answer{contentType: "application/javascript", body: dashboardScript}
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
