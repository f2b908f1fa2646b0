package ecp

import (
	"context"
	"time"
)

// AgentSample is a sample that an agent took of the cluster. Messages are those of the
// time Over before it.
type AgentSample struct {
	TrafficSample
	Over time.Duration
}

// AgentSampler is a [Link] whose agents keep samples.
type AgentSampler interface {
	// Samples asks the cluster's agents for the samples that they have kept since a
	// time: those of each agent that tells any, oldest first, by this program's clock.
	// The error says what is missing, and why; what was told comes with it. It MUST
	// keep to bounds of its own, whatever agents send.
	Samples(ctx context.Context, id ID, since time.Time) ([][]AgentSample, error)
}

// SeriesGap is a time of a series of which no agent tells a sample.
type SeriesGap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}
