// Package agents registers the agents of adopted clusters and keeps what they tell of the
// past. A [Registry] belongs to a Manager, as its field Agents.
package agents
