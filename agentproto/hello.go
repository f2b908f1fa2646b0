package agentproto

import "time"

// Hello is what an agent tells a server about itself when it registers or connects.
// Nothing in it is proved except Agent; the rest is shown to people.
type Hello struct {
	Agent    string `json:"agent,omitempty"`    // empty while registering
	Instance string `json:"instance,omitempty"` // random, drawn by each process at its start

	Version  string `json:"version,omitempty"` // of the agent's program
	OS       string `json:"os,omitempty"`
	Arch     string `json:"arch,omitempty"`
	Hostname string `json:"hostname,omitempty"`

	// Node is the name of the EMQX node beside the agent. It is empty if the agent
	// does not know it yet.
	Node string `json:"node,omitempty"`

	// Time is the agent's clock when it sent this.
	Time time.Time `json:"time,omitzero"`

	// Tunnel is what the agent was configured to use; CarrierWhy is why it uses
	// the carrier it came with.
	Tunnel     TunnelMode `json:"tunnel,omitempty"`
	CarrierWhy string     `json:"carrierWhy,omitempty"`
}
