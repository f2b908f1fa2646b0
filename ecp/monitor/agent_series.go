package monitor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// TrafficHistory is [Monitor.TrafficSeries], and where the broker of an adopted cluster
// has no such call, or has kept nothing, what its agents have kept: one sample a moment
// for the whole cluster. gaps are the times of the window of which no agent that is
// connected tells a sample, and nil where the series is not theirs. An error beside
// gaps tells why the series may be without something that agents have.
func (m *Monitor) TrafficHistory(ctx context.Context, id ecp.ID,
	last time.Duration) (series []ecp.TrafficSample, gaps []ecp.SeriesGap, err error) {
	series, err = m.TrafficSeries(ctx, id, last)
	sampler, able := m.observed.Link.(ecp.AgentSampler)
	if !able || err == nil && len(series) > 0 || err != nil && !errors.Is(err, ecp.ErrUnsupported) {
		return series, nil, err
	}
	q := about("traffic", id, ecp.FeatureMonitoring)
	if rec, readErr := m.observed.LoadReadable(ctx, q.Op, ecp.RightRead, id); readErr != nil ||
		rec.Mode != ecp.Adopted {
		return series, nil, err
	}
	now := m.observed.Now().UTC()
	all, askErr := m.askSamples(ctx, q, sampler, now.Add(-last))
	if ctx.Err() != nil {
		return nil, nil, q.TimeoutError(ctx, "", askErr)
	}
	if len(all) > 0 {
		series, gaps = mergeSamples(all, now.Add(-last), now)
		return series, gaps, askErr
	}
	if err != nil && askErr != nil {
		err = &ecp.Error{Code: ecp.CodeUnsupported, Op: q.Op, Message: observed.ReasonOf(err) +
			"; its agents tell no series either: " + observed.ReasonOf(askErr), Cause: errors.Join(err, askErr)}
	}
	return series, nil, err
}

// askSamples asks the agents in the actor's turn, as brokers are.
func (m *Monitor) askSamples(ctx context.Context, q observed.Query, sampler ecp.AgentSampler,
	since time.Time) ([][]ecp.AgentSample, error) {
	ctx, end := q.WithTimeout(ctx, observed.QueryTimeout)
	defer end()
	actor, _ := ecp.ActorFrom(ctx)
	if err := m.observed.Queries.Acquire(ctx, q.ID, actor); err != nil {
		return nil, ecp.NewError(ecp.CodeUnavailable, q.Op,
			"too many questions to this cluster are under way; ask again in a moment")
	}
	defer m.observed.Queries.Release(q.ID, actor)
	return sampler.Samples(ctx, q.ID, since)
}

// longestStill is how much longer than one sample's time there may be none before that
// is a gap.
const longestStill = 20 * time.Second

// notYet is how old the newest sample may be before the time since is a gap: agents look
// at their brokers every 30 s at least.
const notYet = 45 * time.Second

// mostSamples bounds a series: what is more is joined.
const mostSamples = 2500

// mergeSamples makes one series of what several agents have sampled. No moment is
// counted twice: a sample is taken where its time overlaps none that was taken; the
// agent that tells of the longest time comes first.
func mergeSamples(all [][]ecp.AgentSample, from, to time.Time) (series []ecp.TrafficSample, gaps []ecp.SeriesGap) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b []ecp.AgentSample) int { return cmp.Compare(covers(b), covers(a)) })
	var taken []ecp.AgentSample
	for _, one := range all {
		fit := slices.DeleteFunc(slices.Clone(one), func(s ecp.AgentSample) bool {
			return !s.At.After(from) || s.At.After(to) || s.Over <= 0 || overlaps(taken, s)
		})
		taken = append(taken, fit...)
		slices.SortStableFunc(taken, func(a, b ecp.AgentSample) int { return a.At.Compare(b.At) })
	}
	gaps = []ecp.SeriesGap{}
	covered := from
	for _, s := range taken {
		if begin := s.At.Add(-s.Over); begin.Sub(covered) > longestStill {
			gaps = append(gaps, ecp.SeriesGap{From: covered, To: begin})
		}
		covered = s.At
	}
	if to.Sub(covered) > notYet {
		gaps = append(gaps, ecp.SeriesGap{From: covered, To: to})
	}
	return thinned(taken, from, to), gaps
}

// covers is the time that samples tell of.
func covers(samples []ecp.AgentSample) (sum time.Duration) {
	for _, s := range samples {
		sum += s.Over
	}
	return sum
}

// overlaps reports whether the time of a sample is part of that of one of the others,
// which are in order.
func overlaps(taken []ecp.AgentSample, s ecp.AgentSample) bool {
	i, _ := slices.BinarySearchFunc(taken, s.At, func(t ecp.AgentSample, at time.Time) int { return t.At.Compare(at) })
	if i > 0 && taken[i-1].At.After(s.At.Add(-s.Over)) {
		return true
	}
	return i < len(taken) && taken[i].At.Add(-taken[i].Over).Before(s.At)
}

// thinned joins samples where there are too many: messages are added up, and of the
// rest the last of each part counts.
func thinned(all []ecp.AgentSample, from, to time.Time) []ecp.TrafficSample {
	out := make([]ecp.TrafficSample, 0, min(len(all), mostSamples))
	part, last := to.Sub(from)/mostSamples, int64(-1)
	for _, s := range all {
		n := int64(-1)
		if len(all) > mostSamples && part > 0 {
			n = int64(s.At.Sub(from) / part)
		}
		if k := len(out) - 1; n >= 0 && n == last && k >= 0 {
			s.Received, s.Sent, s.Dropped = s.Received+out[k].Received, s.Sent+out[k].Sent, s.Dropped+out[k].Dropped
			out[k] = s.TrafficSample
			continue
		}
		out, last = append(out, s.TrafficSample), n
	}
	return out
}
