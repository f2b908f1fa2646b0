package emqxsim

import "net/http"

// Only the Enterprise edition has calls about membership. Their answers are not recorded
// and follow those of its other calls.

// inviteNode4 makes a standalone node a member.
func inviteNode4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	if why := c.c.invite(c.n, text(in["node"]), c.now); why != "" {
		return code4(http.StatusBadRequest, why)
	}
	return done4()
}

// forceLeave4 removes a member.
func forceLeave4(c *call4) answer {
	if why := c.c.forceLeave(c.n, c.params["node"], c.now); why != "" {
		return code4(http.StatusBadRequest, why)
	}
	return done4()
}
