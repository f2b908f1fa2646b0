package agentproto

import "context"

// farewell tells an agent why its connection ends and closes it. Whoever
// dismissed the agent does not wait for it, so that there is no context to
// follow; it takes at most Timings.Goodbye.
func (s *Server) farewell(sess *session, r *Refusal) {
	sess.goodbye(context.Background(), r, s.cfg.Timings.Goodbye) //nolint:forbidigo // see above: nobody waits
}
