package emqxhttp

import "github.com/openecp/openecp/ecp"

// Need is what a broker must be for a call to exist, or for an answer to have a certain
// form. Every broker meets the zero value.
type Need struct {
	// Since has the first version of each minor version that has it, in ascending order. A
	// minor version without a row has it if it comes after the last row: "5.8.9", "5.10.3",
	// "6.2.0" includes 6.3.1, but neither 5.9.9 nor 6.1.4.
	Since []string
	// Until is the first version that does not have it any more, if there is one.
	Until string
	// Edition is the only edition that has it. If it is empty, both have it.
	Edition string
}

// In reports whether a version has it. The zero version stands for an unknown one and has
// everything.
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

// Met reports whether a broker of this version and edition meets the need. An unknown
// edition does.
func (n Need) Met(version, edition string) bool {
	v, _ := ecp.ParseVersion(version)
	return n.In(v) && (n.Edition == "" || edition == "" || edition == n.Edition)
}

// String describes the need, e.g. "EMQX Enterprise 5.7.0 or later".
func (n Need) String() string {
	says := ProductName("", n.Edition)
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

// ProductName describes a broker, e.g. "open-source EMQX 4.4.19".
func ProductName(version, edition string) string {
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

// NeedError returns the error for a broker that does not meet a need. It says what was
// found and what is needed.
func (c *Client) NeedError(what, version, edition string, n Need) error {
	says := "found " + ProductName(version, edition) + "; needed " + n.String()
	if what != "" {
		says = what + ": " + says
	}
	return c.Fail(ecp.CodeUnsupported, says, nil)
}

// LowestRunning returns the earliest version among the running nodes, which limits what the
// whole cluster can do.
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
