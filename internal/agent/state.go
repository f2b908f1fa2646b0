package agent

import (
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/broker"
)

// state is what the parts of the agent know. The status is made from it.
type state struct {
	mu       sync.Mutex
	started  time.Time // guarded by mu, as all below
	settings Settings
	identity agentproto.Identity    // of the connection that is kept
	tunnel   agentproto.AgentStatus // zero means none was tried
	last     agentproto.Report      // zero means none was made
	access   *broker.Access         // nil means EMQX was not found, or is not looked for yet
	tried    []string               // where settings of EMQX were looked for in vain
	problems map[string]string      // by what they are about
}

func (s *state) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = now
}

func (s *state) setSettings(now Settings) (before Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.settings = s.settings, now
	return before
}

func (s *state) getSettings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// problem sets what is wrong with a subject. An empty text means nothing any more.
func (s *state) problem(about, says string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if says == "" {
		delete(s.problems, about)
		return
	}
	s.problems[about] = says
}

func (s *state) problemOf(about string, err error) {
	says := ""
	if err != nil {
		says = err.Error()
	}
	s.problem(about, says)
}

func (s *state) setIdentity(id agentproto.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.identity.Agent != id.Agent || s.identity.Server != id.Server {
		s.tunnel = agentproto.AgentStatus{}
	}
	s.identity = id
}

func (s *state) setTunnel(t agentproto.AgentStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tunnel = t
}

func (s *state) setReport(r agentproto.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = r
}

func (s *state) setAccess(a *broker.Access, tried []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access, s.tried = a, tried
}

// registered reports whether there is an identity.
func (s *state) registered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identity.Agent != ""
}

// node is the name of the EMQX node, as last reported.
func (s *state) node() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Node
}

// toldLocked returns the problems, sorted by their subjects.
func (s *state) toldLocked() []string {
	about := make([]string, 0, len(s.problems))
	for k := range s.problems {
		about = append(about, k)
	}
	slices.Sort(about)
	var out []string
	for _, k := range about {
		out = append(out, s.problems[k])
	}
	return out
}
