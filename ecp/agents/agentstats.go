package agents

// Stats counts the agents of adopted clusters and what they have done since
// the program can hear them.
type Stats struct {
	Connected     map[string]int    // agents that are connected now, by carrier
	Away          int               // agents that were connected and are not now
	Registrations uint64            // redeemed registration tokens
	Refusals      map[string]uint64 // registrations and connections that were refused, by code
	Connections   uint64            // connections of agents that proved who they are
	Reconnections uint64            // of these, by agents that had been connected before
	Reports       uint64            // received reports
}

// Counter is a [ecp.Link] that counts.
type Counter interface{ Stats() Stats }
