package emqxsim

import (
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// atLeast reports whether a version is x.y.z or later.
func atLeast(version string, x, y, z int) bool {
	v, _ := ecp.ParseVersion(version)
	return !v.Before(ecp.Version{Major: x, Minor: y, Patch: z})
}

// has reports whether a version has a feature. since lists, separated by spaces, the first
// version of each minor version that has it, e.g. "5.8.9 5.10.3". Minor versions after the
// last one have it, those between do not. Every version has a feature with an empty since.
func has(version, since string) bool {
	if since == "" {
		return true
	}
	v, _ := ecp.ParseVersion(version)
	var last ecp.Version
	for s := range strings.FieldsSeq(since) {
		first, ok := ecp.ParseVersion(s)
		if !ok {
			panic("emqxsim: " + strconv.Quote(s) + " is no version")
		}
		if first.Major == v.Major && first.Minor == v.Minor {
			return !v.Before(first)
		}
		last = first
	}
	return !v.Before(last)
}

func mustMajor(version string) int {
	v, ok := ecp.ParseVersion(version)
	if !ok || v.Major < 4 {
		panic("emqxsim: " + strconv.Quote(version) + " is no version of EMQX 4 or later")
	}
	return v.Major
}

// keeps returns the first major version whose data a version goes on with: EMQX 6 continues
// a cluster of EMQX 5, and EMQX 5 none of EMQX 4.
func keeps(version string) int { return min(mustMajor(version), 5) }

// The first versions of features that are needed in more than one place.
const (
	sinceNoRelVsn    = "5.8.11 5.9.3 5.10.4 6.0.3 6.1.2 6.2.1"
	sinceScopes      = "5.10.4 6.0.3 6.1.2 6.2.1"
	sinceSessions    = "5.8.5" // the license counts sessions instead of connections
	sinceCommunity   = "5.9.0" // the default license is for one node
	sinceFifteenDays = "6.2.0" // a small customer's license serves so long after its expiry, 90 before
	sinceDynamic     = "5.7.0" // dynamic_max_connections
	sinceEvacuation4 = "4.4.12"
	sinceHealthWait4 = "4.4.24" // an evacuated node accepts clients while it waits
)
