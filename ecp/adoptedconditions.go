package ecp

// NoAgentAddress says what is missing where no address is configured that agents
// can dial.
const NoAgentAddress = "no address is configured that agents can dial: set `cluster.agent` (the flag --cluster-agent) to the https URL under which their hosts reach this program"
