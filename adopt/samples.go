package adopt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

var _ ecp.AgentSampler = (*Hub)(nil)

// Bounds of what is asked of agents for one series.
const (
	samplingAgents   = 5 // of one cluster
	samplingPatience = 15 * time.Second
	samplingSteps    = 2500    // samples of one step of the window become one
	samplesOfOne     = 5000    // of one agent: more than steps only where times are missing between
	recordsOfOne     = 700_000 // read of one agent: a week of one each second
)

// Bounds of one sample: what is more makes no sense.
const (
	mostMessages  = 1_000_000_000_000
	longestSample = 5 * time.Minute
	// sampleSlack is how far one sample may begin behind the end of the one before and
	// still follow it: agents round.
	sampleSlack = time.Second
)

// sampling is an agent that is asked for its samples, and what came of it.
type sampling struct {
	agent ecp.AgentID
	ahead time.Duration // its clock is before ours
	told  bool
	kept  []ecp.AgentSample
	err   error // why kept is not all; nil means it is
}

// Samples asks the agents that serve a cluster for what they have kept; see
// [ecp.AgentSampler].
func (h *Hub) Samples(ctx context.Context, id ecp.ID, since time.Time) ([][]ecp.AgentSample, error) {
	op := "read samples of " + string(id)
	source, able := h.server.(historySource)
	if !able {
		return nil, &ecp.Error{Code: ecp.CodeUnsupported, Op: op, Message: "agents of this server keep no samples"}
	}
	ctx, cancel := context.WithTimeout(ctx, samplingPatience)
	defer cancel()
	agents := h.sampling(id)
	var asking sync.WaitGroup
	for _, a := range agents {
		asking.Go(func() { h.readSamples(ctx, source, a, since) })
	}
	asking.Wait()
	var out [][]ecp.AgentSample
	for _, a := range agents {
		if a.told {
			out = append(out, a.kept)
		}
	}
	return out, notTold(op, agents, len(out))
}

// notTold is the error that says what the agents have not told; nil means nothing that
// matters. Where one tells, the others need not have kept anything.
func notTold(op string, agents []*sampling, told int) error {
	var failed []string
	var causes []error
	for _, a := range agents {
		if a.err != nil && !errors.Is(a.err, agentproto.ErrNoHistory) {
			failed, causes = append(failed, "agent "+string(a.agent)+": "+failureOf(a.err)), append(causes, a.err)
		}
	}
	switch {
	case len(failed) > 0:
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op,
			Message: "what agents have kept could not be read to its end: " +
				strings.Join(failed, "; "), Cause: errors.Join(causes...)}
	case told > 0:
		return nil
	case len(agents) == 0:
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: op,
			Message: "no agent of the cluster is connected that could tell what it has kept"}
	}
	return &ecp.Error{Code: ecp.CodeUnsupported, Op: op,
		Message: "its agents keep no samples: their program is older, or their setting openecp.buffer.age or " +
			"openecp.buffer.size is 0"}
}

func failureOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("it took longer than %s; ask for a shorter window", samplingPatience)
	}
	return text(err.Error(), maxWord)
}

// sampling are the agents that are asked.
func (h *Hub) sampling(id ecp.ID) (out []*sampling) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	c := h.clusters[id]
	if c == nil {
		return nil
	}
	for _, a := range c.agentsByID() {
		if a.serves() && len(out) < samplingAgents {
			s := &sampling{agent: a.id}
			if skew := a.connection.ClockSkew; skew.Abs() > skewNoticed {
				s.ahead = skew
			}
			out = append(out, s)
		}
	}
	return out
}

// readSamples reads what one agent has kept.
func (h *Hub) readSamples(ctx context.Context, source historySource, a *sampling, since time.Time) {
	now, n := h.now(), 0
	step := now.Sub(since) / samplingSteps
	q := agentproto.HistoryQuery{Since: since.Add(a.ahead), Kinds: []agentproto.HistoryKind{agentproto.HistorySample}}
	for r, err := range h.historyOf(ctx, source, a.agent, q) {
		if n++; err == nil && (n > recordsOfOne || len(a.kept) > samplesOfOne) {
			err = errors.New("it tells more than any agent keeps")
		}
		if err != nil {
			h.log.DebugContext(ctx, "samples of an agent cannot be read", "agent", a.agent, "error", err)
			a.told, a.err = len(a.kept) > 0, err
			return
		}
		at := r.At.Add(-a.ahead).UTC()
		if r.Sample != nil && r.Sample.OverMS > 0 && at.After(since) && !at.After(now.Add(skewNoticed)) {
			a.keep(sampleOf(*r.Sample, at), since, step)
		}
	}
	a.told = true
}

// keep adds a sample to what was kept. How far the agent's clock is off is known of
// now: where it was set back, what it told before was wrong, and goes. No moment is
// part of two samples.
func (a *sampling) keep(s ecp.AgentSample, since time.Time, step time.Duration) {
	k := len(a.kept)
	for k > 0 && !s.At.After(a.kept[k-1].At) {
		k--
	}
	if a.kept = a.kept[:k]; k == 0 {
		a.kept = append(a.kept, s)
		return
	}
	last := a.kept[k-1]
	s.Over = min(s.Over, s.At.Sub(last.At))
	missing := s.At.Sub(last.At) - s.Over
	if step <= 0 || missing > sampleSlack || s.At.Sub(since)/step != last.At.Sub(since)/step {
		a.kept = append(a.kept, s)
		return
	}
	s.Over += last.Over + missing
	s.Received, s.Sent, s.Dropped = s.Received+last.Received, s.Sent+last.Sent, s.Dropped+last.Dropped
	a.kept[k-1] = s
}

// sampleOf is a sample in the Manager's units.
func sampleOf(s agentproto.Sample, at time.Time) ecp.AgentSample {
	messages := func(n int64) int64 { return min(max(n, 0), mostMessages) }
	return ecp.AgentSample{
		Over: time.Duration(min(max(s.OverMS, 0), longestSample.Milliseconds())) * time.Millisecond,
		TrafficSample: ecp.TrafficSample{
			At: at, Connections: count(s.Connections), Sessions: count(s.Sessions), Topics: count(s.Topics),
			Subscriptions: count(s.Subscriptions),
			Received:      messages(s.Received), Sent: messages(s.Sent), Dropped: messages(s.Dropped),
		},
	}
}
