package emqxsim

import "net/http"

// Membership by REST is Enterprise's alone. Its answers are not recorded: they
// are those of its other calls.

// inviteNode4 makes a node a member that runs by itself.
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

// forceLeave4 takes a member out.
func forceLeave4(c *call4) answer {
	if why := c.c.forceLeave(c.n, c.params["node"], c.now); why != "" {
		return code4(http.StatusBadRequest, why)
	}
	return done4()
}
