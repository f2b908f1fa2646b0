package adopt

import (
	"errors"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
)

// Words for the person at the agent.
const (
	newCommand = "Open the cluster's guide on the server, copy the register command anew, and run it on this host."
	sayUnknown = "The registration token is not known to the server. Check that the command was copied whole and is " +
		"for this server. " + newCommand
	sayExpired = "The registration token has expired. " + newCommand
	sayRevoked = "The registration token was revoked on the server. " + newCommand
	sayNoAgent = "The server does not know this agent: it was removed, or its cluster was deleted. To bring it back: " +
		newCommand
	sayRemoved   = "This agent was removed on the server, or its cluster was deleted. To bring it back: " + newCommand
	sayMoved     = "This agent was registered with another cluster. It connects again by itself."
	sayElsewhere = "The agent is connected to another server by now."
	sayNotReady  = "The server cannot answer registrations yet; the agent asks again by itself."
	sayTakenNode = "Another agent serves the EMQX node %s of this cluster already: %s. It goes on. Stop one of the " +
		"two " +
		"(emqxee-agent stop), or give the node beside this agent a name of its own; this agent asks again by itself."
	sayForeign = "The EMQX beside this agent belongs to another cluster: %s. Register this agent with the cluster " +
		"that it belongs to, or join its node to this one; if the cluster's nodes were all replaced, remove the " +
		"agents of " +
		"the old ones on the server."
	sayMovedOn = "Another agent has taken over the EMQX node %s because this one did not answer. It asks again by " +
		"itself."
)

// refusals turn the Manager's errors into what an agent is told; the first that
// fits counts.
var refusals = []struct {
	err     error
	code    agentproto.RefusalCode
	message string // empty means the Manager's own, which is made for people
}{
	{agents.ErrTokenUnknown, agentproto.RefusedTokenUnknown, sayUnknown},
	{agents.ErrTokenExpired, agentproto.RefusedTokenExpired, sayExpired},
	{agents.ErrTokenRevoked, agentproto.RefusedTokenRevoked, sayRevoked},
	{ecp.ErrNotFound, agentproto.RefusedUnknownAgent, sayNoAgent},
	{ecp.ErrGone, agentproto.RefusedUnknownAgent, sayNoAgent},
	{ecp.ErrInvalid, agentproto.RefusedBadRequest, ""},
	{ecp.ErrDenied, agentproto.RefusedTokenRevoked, ""},
	{ecp.ErrConflict, agentproto.RefusedTokenRevoked, ""}, // the cluster is being deleted
}

// refuse returns the refusal for an error of the Manager; nil for a fault that is
// no refusal: an agent learns nothing of it but that the server is busy.
func refuse(err error) *agentproto.Refusal {
	for _, r := range refusals {
		if !errors.Is(err, r.err) {
			continue
		}
		message := r.message
		if message == "" {
			message = ecp.MessageOf(err) + ". " + newCommand
		}
		return &agentproto.Refusal{Code: r.code, Message: message}
	}
	return nil
}
