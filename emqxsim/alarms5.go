package emqxsim

import (
	"net/http"
	"slices"
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

// forceAlarm5 ends an alarm everywhere. While its cause lasts it rises again.
// The words of the refusal are not recorded.
func forceAlarm5(q *request) answer {
	in, bad := q.object("root.", []input{{name: "name", required: true, expected: "binary()", ok: isString}})
	if bad != nil {
		return *bad
	}
	found := false
	for _, n := range q.n.visible(q.now) {
		for _, a := range slices.Clone(n.alarms) {
			if a.name == in.text("name") {
				delete(n.raised, a.name)
				n.endAlarm(a, q.now)
				found = true
			}
		}
	}
	if !found {
		return bad5("Alarm not found")
	}
	return empty(http.StatusNoContent)
}
