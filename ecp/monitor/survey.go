package monitor

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// How brokers are asked for what an [Overview] sums up.
const (
	surveyEvery    = time.Minute            // between two surveys of one cluster
	surveyAgain    = 3 * time.Minute        // after one that was not answered
	surveyWanted   = 2 * time.Minute        // for how long clusters are asked after somebody looked
	surveyPace     = 500 * time.Millisecond // between two times that clusters are picked
	surveysAtOnce  = 10                     // clusters; so many are picked at a time, too
	surveyPatience = 15 * time.Second       // for all that one cluster is asked
)

// surveys are what brokers have told of their rules and the like. List are asked
// only while somebody looks at an overview of their project: what nobody reads costs
// no broker a call.
type surveys struct {
	wake chan struct{} // of one: somebody looks

	mu     sync.Mutex
	wanted map[string]time.Time    // by project, until when; by the monotonic clock; guarded by mu
	of     map[ecp.ID]*surveyEntry // guarded by mu; what the entries point at is never changed
}

// surveyEntry is one cluster's.
type surveyEntry struct {
	told  surveyed
	tried time.Time // when it was last begun, by the monotonic clock
	busy  bool      // it is under way
}

// newSurveys returns what overviews gather: nothing yet.
func newSurveys() surveys {
	return surveys{wake: make(chan struct{}, 1), wanted: map[string]time.Time{}, of: map[ecp.ID]*surveyEntry{}}
}

// want notes that somebody looks at projects.
func (s *surveys) want(projects map[string]bool, now time.Time) {
	s.mu.Lock()
	for p := range projects {
		s.wanted[p] = now.Add(surveyWanted)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fill adds to figures what was surveyed.
func (s *surveys) fill(all []clusterFigures) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range all {
		if e := s.of[all[i].id]; e != nil {
			all[i].surveyed = e.told
		}
	}
}

// due picks the clusters to ask now, those first that wait longest, and notes that
// they are being asked. looked reports whether anybody looks at all.
func (s *surveys) due(all []*observed.Entry, now time.Time, most int) (out []ecp.ID, looked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, until := range s.wanted {
		if now.After(until) {
			delete(s.wanted, p)
		}
	}
	type waiting struct {
		id    ecp.ID
		since time.Time
	}
	var wait []waiting
	known := make(map[ecp.ID]bool, len(s.of))
	for _, l := range all {
		e := s.of[l.ID]
		if e != nil {
			known[l.ID] = true
		}
		if _, wanted := s.wanted[l.Project]; !wanted || !serving(l) || !e.isDue(now) {
			continue
		}
		w := waiting{id: l.ID}
		if e != nil {
			w.since = e.tried
		}
		wait = append(wait, w)
	}
	for id, e := range s.of { // of clusters that have gone
		if !known[id] && !e.busy {
			delete(s.of, id)
		}
	}
	slices.SortFunc(wait, func(a, b waiting) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.id, b.id)) })
	for _, w := range wait[:min(most, len(wait))] {
		if s.of[w.id] == nil {
			s.of[w.id] = &surveyEntry{}
		}
		s.of[w.id].tried, s.of[w.id].busy = now, true
		out = append(out, w.id)
	}
	return out, len(s.wanted) > 0
}

// isDue reports whether a cluster is to be asked; nil means it never was.
func (e *surveyEntry) isDue(now time.Time) bool {
	switch {
	case e == nil:
		return true
	case e.busy:
		return false
	case e.told.why != "":
		return now.Sub(e.tried) >= surveyAgain
	}
	return now.Sub(e.tried) >= surveyEvery
}

// told takes up what a cluster has told.
func (s *surveys) told(id ecp.ID, t surveyed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.of[id]; e != nil {
		e.told, e.busy = t, false
	}
}

// Run asks the brokers of clusters that somebody looks at, until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	slots := make(chan struct{}, surveysAtOnce)
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for idle := true; ; {
		select {
		case <-ctx.Done():
			return
		case <-m.surveys.wake:
			if !idle { // whoever looks often must not make it quicker
				continue
			}
		case <-pause.C:
		}
		all, err := m.observed.All(ctx)
		if err != nil {
			pause.Reset(5 * time.Second)
			idle = false
			continue
		}
		ids, looked := m.surveys.due(all, m.observed.Tick(), cap(slots)-len(slots))
		for _, id := range ids {
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				m.surveys.told(id, m.surveyOf(ecp.WithActor(ctx, ecp.System), id))
			})
		}
		if idle = !looked; looked {
			pause.Reset(surveyPace)
		}
	}
}

// surveyOf asks a cluster's broker. Where it does not say how busy it is, it is asked
// nothing else.
func (m *Monitor) surveyOf(ctx context.Context, id ecp.ID) (t surveyed) {
	ctx, cancel := context.WithTimeout(ctx, surveyPatience)
	defer cancel()
	defer func() { t.at = m.observed.Now().UTC() }()
	traffic, err := m.Traffic(ctx, id)
	if err != nil {
		t.why = ecp.MessageOf(err)
		return t
	}
	t.sessions = &traffic.Sessions
	for _, n := range traffic.Nodes { // a sum without one of them would be taken for all
		if n.Error != "" {
			t.sessions, t.why = nil, n.Node+": "+n.Error
		}
	}
	note := func(err error) bool {
		if err != nil {
			t.why = cmp.Or(t.why, ecp.MessageOf(err))
		}
		return err == nil
	}
	if rules, err := m.Rules(ctx, id); note(err) {
		t.rules = totalsOfRules(rules)
	}
	if all, err := m.Integrations(ctx, id); note(err) {
		t.connectors = totalsOfConnectors(all)
	}
	if alarms, err := m.ActiveAlarms(ctx, id); note(err) {
		t.alarms = totalsOfAlarms(alarms)
	}
	return t
}
