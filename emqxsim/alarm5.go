package emqxsim

import (
	"net/http"
)

func alarms5(q *request) answer {
	rows := q.n.activeAlarms(q.now)
	switch given := q.URL.Query().Get("activated"); given {
	case "", "true":
	case "false":
		rows = q.db.history
	default:
		return invalid(given, "boolean()", "activated")
	}
	return paged(q, rows, func(a *alarm) any {
		o := obj{
			"node": a.node, "name": a.name, "message": a.message, "details": a.details,
			"activate_at": rfc3339(a.from), "duration": q.now.Sub(a.from).Milliseconds(),
		}
		if !a.to.IsZero() {
			o["deactivate_at"], o["duration"] = rfc3339(a.to), a.to.Sub(a.from).Milliseconds()
		}
		return o
	})
}

func clearAlarms5(q *request) answer {
	q.db.history = nil
	return empty(http.StatusNoContent)
}
