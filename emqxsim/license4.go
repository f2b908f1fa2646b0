package emqxsim

import "time"

// The answers about the license of EMQX Enterprise 4.4 are known from its clients. How the
// broker refuses a bad license file is not known, except that the status is 200 and the
// code not 0.

func license4(c *call4) answer {
	return data4(obj{"max_connections": c.db.license.Limit, "expiry_at": c.db.license.Expiry.Format(time.DateTime)})
}

// licenseInfo4 is for the dashboard. From 4.4.20 on it shows the license's own limit beside
// the limit in force.
func licenseInfo4(c *call4) answer {
	l := c.db.license
	o := obj{
		"version": c.n.version, "vendor": "EMQ Technologies Co., Ltd.", "type": l.Type, "customer": l.Customer,
		"email":         l.Email,
		"customer_type": l.CustomerType, "max_connections": l.Limit, "issued_at": l.Start.Format(time.DateTime),
		"expiry_at": l.Expiry.Format(time.DateTime), "expiry": l.expired(c.now),
	}
	if has(c.n.version, "4.4.20") {
		o["original_max_connections"] = c.licensed()
	}
	return data4(o)
}

// uploadLicense4 takes the text of a license file, see [LicenseFile], for the whole
// cluster.
func uploadLicense4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	l, ok := parseLicense(text(in["license"]), c.now)
	if !ok {
		return code4(500, "invalid_license")
	}
	c.db.license, c.c.v4.licensed = l, 0
	c.n.logLicense(c.now)
	return done4()
}

// licensed returns the limit of the license itself.
func (c *call4) licensed() int { return max(c.c.v4.licensed, c.db.license.Limit) }

// sinceDynamic4 is the first version whose source mentions dynamic licenses.
const sinceDynamic4 = "4.4.11"

// dynamic4 describes the call that sets a limit below the license's.
type dynamic4 struct{ method, field string }

// SetDynamicLicense adds to nodes of EMQX Enterprise 4.4.11 or later a call that sets the
// connection limit: /dynamic_license, by POST or PUT, with the limit in a field of the
// body. Only the existence of such a call is public, so method and field are the caller's
// guess. An empty method removes the call; new clusters do not have it.
func (c *Cluster) SetDynamicLicense(method, field string) {
	c.change(func(time.Time) { c.v4.dynamic = dynamic4{method, field} })
}

// dynamicBy4 reports whether the call is made by a method.
func dynamicBy4(method string) func(*Cluster) bool {
	return func(c *Cluster) bool { return c.v4.dynamic.method == method }
}

// dynamicLicense4 sets the limit in force, which is never above the license's.
func dynamicLicense4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	var n int
	if !positive4(in[c.c.v4.dynamic.field], &n) {
		return code4(107, "missing mandatory params: ['"+c.c.v4.dynamic.field+"']")
	}
	c.c.v4.licensed = c.licensed()
	c.db.license.Limit = min(n, c.c.v4.licensed)
	return done4()
}
