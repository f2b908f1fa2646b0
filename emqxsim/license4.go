package emqxsim

import "time"

// The licence of EMQX Enterprise 4.4. What the calls answer is known from their
// clients; how a licence file that is no good is refused is not, beyond that
// the status is 200 and the code not 0.

func license4(c *call4) answer {
	return data4(obj{"max_connections": c.db.license.Limit, "expiry_at": c.db.license.Expiry.Format(time.DateTime)})
}

// licenseInfo4 is what the dashboard shows; from 4.4.20 with what the licence
// itself allows beside what is in force.
func licenseInfo4(c *call4) answer {
	l := c.db.license
	o := obj{
		"version": c.n.version, "vendor": "EMQ Technologies Co., Ltd.", "type": l.Type, "customer": l.Customer, "email": l.Email,
		"customer_type": l.CustomerType, "max_connections": l.Limit, "issued_at": l.Start.Format(time.DateTime),
		"expiry_at": l.Expiry.Format(time.DateTime), "expiry": l.expired(c.now),
	}
	if has(c.n.version, "4.4.20") {
		o["original_max_connections"] = l.Limit
	}
	return data4(o)
}

// uploadLicense4 takes the text of a licence file, see [LicenseFile], for the
// whole cluster.
func uploadLicense4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	l, ok := parseLicense(text(in["license"]), c.now)
	if !ok {
		return code4(500, "invalid_license")
	}
	c.db.license = l
	return done4()
}
