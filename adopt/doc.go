// Package adopt makes clusters that somebody else runs part of a fleet: it leads
// people to an agent that runs, and joins agents to the Manager.
package adopt
