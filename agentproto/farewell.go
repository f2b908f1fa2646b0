package agentproto

import "context"

// farewell sends an agent the reason for which its connection ends, and closes it. The
// caller of Disconnect does not wait for this, so there is no context to follow; it takes
// at most Timings.Goodbye.
func (s *Server) farewell(sess *session, r *Refusal) {
	sess.goodbye(context.Background(), r, s.cfg.Timings.Goodbye) //nolint:forbidigo // see above
}
