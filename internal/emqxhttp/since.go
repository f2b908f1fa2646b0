package emqxhttp

import "github.com/openecp/openecp/ecp"

// Need is what a broker must be for a call to exist, or for an answer to have
// a shape. The zero value is fulfilled by every broker.
type Need struct {
	// Since has the first version of each line, i.e. of each minor version,
	// that has it, the earliest first. A line without a row has it if it comes
	// after the last one: what is named "5.8.9", "5.10.3", "6.2.0" is in 6.3.1,
	// and neither in 5.9.9 nor in 6.1.4.
	Since []string
	// Until is the first version that does not have it any more; "" = none.
	Until string
	// Edition that has it; "" = both.
	Edition string
}

// In says whether a version has it. The zero version, which is one that is not
// known, has everything.
func (n Need) In(v ecp.Version) bool {
	if v == (ecp.Version{}) {
		return true
	}
	if until, ok := ecp.ParseVersion(n.Until); ok && !v.Before(until) {
		return false
	}
	has := len(n.Since) == 0
	for _, row := range n.Since {
		first, _ := ecp.ParseVersion(row)
		if first.Major == v.Major && first.Minor == v.Minor {
			return !v.Before(first)
		}
		has = !v.Before(first) // the last row decides
	}
	return has
}

// Met says whether a broker of this version and edition is what is needed. An
// edition that is not told is believed to be the one.
func (n Need) Met(version, edition string) bool {
	v, _ := ecp.ParseVersion(version)
	return n.In(v) && (n.Edition == "" || edition == "" || edition == n.Edition)
}

// String says what is needed, e.g. "EMQX Enterprise 5.7.0 or later".
func (n Need) String() string {
	says := Named("", n.Edition)
	for i, row := range n.Since {
		switch {
		case i == 0:
			says += " " + row
		case i == len(n.Since)-1:
			says += " or " + row
		default:
			says += ", " + row
		}
	}
	if n.Until != "" {
		return says + ", before " + n.Until
	}
	if len(n.Since) > 0 {
		says += " or later"
	}
	return says
}

// Named names a broker, e.g. "open-source EMQX 4.4.19".
func Named(version, edition string) string {
	says := "EMQX"
	switch edition {
	case ecp.EditionEnterprise:
		says = "EMQX Enterprise"
	case ecp.EditionOpenSource:
		says = "open-source EMQX"
	}
	if version != "" {
		says += " " + version
	}
	return says
}

// Lacks gives the error for a broker that is not what is needed for something:
// what it is, and what is needed.
func (c *Client) Lacks(what, version, edition string, n Need) error {
	says := "found " + Named(version, edition) + "; needed " + n.String()
	if what != "" {
		says = what + ": " + says
	}
	return c.Fail(ecp.CodeUnsupported, says, nil)
}

// LowestRunning is the earliest version among the nodes that run, which can do
// the least: what the whole cluster can do.
func LowestRunning(d ecp.Description) string {
	lowest := ""
	for _, n := range d.Nodes {
		if n.Status == ecp.NodeRunning && n.Version != "" && (lowest == "" || before(n.Version, lowest)) {
			lowest = n.Version
		}
	}
	if lowest == "" {
		return d.Version
	}
	return lowest
}
