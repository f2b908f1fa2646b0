package emqxsim

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func license5(q *request) answer {
	l := q.db.license
	limit := q.db.limitFor(q.n.version)
	return asJSON(fields(q.n.version,
		field{key: "customer", value: l.Customer}, field{key: "customer_type", value: l.CustomerType},
		field{key: "deployment", value: l.Deployment},
		field{key: "email", value: l.Email}, field{key: "type", value: l.Type},
		field{key: "expiry", value: l.expired(q.now)},
		field{key: "start_at", value: l.Start.Format(time.DateOnly)},
		field{key: "expiry_at", value: l.Expiry.Format(time.DateOnly)},
		field{key: "max_connections", value: limit}, field{key: "max_sessions", since: sinceSessions, value: limit},
		field{key: "max_tps", since: "6.0.0", value: "infinity"},
	))
}

// setLicense5 refuses a license for a single node while the node has others beside it.
func setLicense5(q *request) answer {
	in, bad := q.jsonBody()
	if bad != nil {
		return *bad
	}
	o, _ := in.(map[string]any)
	key, ok := o["key"].(string)
	if o["key"] != nil && !ok {
		return fail5(http.StatusInternalServerError, "INTERNAL_ERROR", "error, function_clause") // words not recorded
	}
	if !ok {
		return bad5("Invalid request params")
	}
	l, ok := parseLicense(key, q.now)
	switch {
	case key == "default":
		l, ok = builtIn(q.n.version, q.now), true
	case key == "evaluation" && has(q.n.version, sinceCommunity):
		l, ok = evaluation(q.now), true
	}
	switch {
	case !ok && has(q.n.version, sinceCommunity):
		return bad5("Bad license key, see logs for more details")
	case !ok || l.CustomerType == BusinessCriticalCustomer && !has(q.n.version, sinceDynamic):
		// The answer for a customer type that the version does not know is not recorded.
		return bad5("Bad license key")
	case l.singleNode && len(q.n.peers()) > 1:
		return bad5("SINGLE_NODE_LICENSE")
	}
	q.db.license = l
	q.n.logLicense(q.now)
	return license5(q)
}

func licenseSetting5(q *request) answer {
	set := q.db.setting
	o := obj{"connection_low_watermark": fmt.Sprintf("%d%%", set.low), "connection_high_watermark": fmt.Sprintf("%d%%",
		set.high)}
	if q.db.dynamicCounts(q.n.version) {
		o["dynamic_max_connections"] = q.db.dynamic()
	}
	return asJSON(o)
}

// percentOf reads "75%" or 0.75.
func percentOf(v any) (int, bool) {
	switch v := v.(type) {
	case float64:
		return int(v*100 + 0.5), v > 0 && v <= 1
	case string:
		n, err := strconv.Atoi(strings.TrimSuffix(v, "%"))
		return n, err == nil && n > 0 && n <= 100 && strings.HasSuffix(v, "%")
	}
	return 0, false
}

// putLicenseSetting5 merges the body into the settings. It silently ignores a limit that
// the license does not allow to set, as real brokers do.
func putLicenseSetting5(q *request) answer {
	bad := bad5("Bad license setting")
	in, refusal := q.jsonBody()
	o, ok := in.(map[string]any)
	if refusal != nil || !ok {
		return bad
	}
	set := q.db.setting
	for k, v := range o {
		switch {
		case k == "connection_low_watermark":
			set.low, ok = percentOf(v)
		case k == "connection_high_watermark":
			set.high, ok = percentOf(v)
		case k == "dynamic_max_connections" && has(q.n.version, sinceDynamic):
			f, number := v.(float64)
			ok = number && f == float64(int(f))
			if q.db.dynamicCounts(q.n.version) {
				ok, set.dynamic = ok && f >= 0, int(f)
			}
		default:
			return bad5(fmt.Sprintf(`{"unmatched":"connection_high_watermark,connection_low_watermark",`+
				`"unknown":%q,"reason":"unknown_fields","path":"root","kind":"validation_error"}`, k))
		}
		if !ok {
			return bad
		}
	}
	if set.low >= set.high {
		return bad
	}
	q.db.setting = set
	return licenseSetting5(q)
}
