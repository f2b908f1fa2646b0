package emqxsim

import (
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// atLeast says whether a version is x.y.z or later.
func atLeast(version string, x, y, z int) bool {
	v, _ := ecp.ParseVersion(version)
	return !v.Before(ecp.Version{Major: x, Minor: y, Patch: z})
}

// has says whether a version has what came with since: versions with spaces
// between, the first of each line of patches that got it, e.g. "5.8.9 5.10.3".
// Lines later than the last have it, lines between them have not. "" = always.
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

// What came when. The first versions are written where they are used once.
const (
	sinceNoRelVsn    = "5.8.11 5.9.3 5.10.4 6.0.3 6.1.2 6.2.1"
	sinceScopes      = "5.10.4 6.0.3 6.1.2 6.2.1"
	sinceForceAlarm  = "5.8.9 5.10.3 6.2.0"
	sinceSessions    = "5.8.5" // the licence counts sessions, not connections
	sinceCommunity   = "5.9.0" // the licence it comes with is for one node
	sinceDynamic     = "5.7.0" // dynamic_max_connections
	sinceEvacuation4 = "4.4.12"
	sinceHealthWait4 = "4.4.24" // an evacuated node takes clients while it waits
)
