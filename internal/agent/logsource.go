package agent

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/logs"
	"github.com/openecp/openecp/internal/emqxlog"
)

// logSource reads EMQX's log files for the server, with the current settings. It removes the
// secrets of EMQX that this host knows.
type logSource struct {
	agent *Agent

	mu     sync.Mutex
	masker *emqxlog.Masker // guarded by mu, as all below
	of     broker.Settings // masker's
	made   time.Time
}

// sayCollect tells a person how to enable logs.
const sayCollect = "it was not told to: run `emqxee-agent register --emqx-log-collection-enabled` there"

// checkSettingsEvery is how long a log goes on after a person has disabled it.
const checkSettingsEvery = time.Second

// errEnough ends reading when the caller wants no more.
var errEnough = errors.New("no more is wanted")

// ReadLogs reads the directory of the settings.
func (s *logSource) ReadLogs(ctx context.Context, q agentproto.LogQuery) (iter.Seq2[agentproto.LogLine, error], error) {
	settings := s.agent.brokerSettings()
	if !settings.LogCollection {
		return nil, &agentproto.LogError{Code: agentproto.LogDisabled, Message: sayCollect}
	}
	query, err := logQuery(q)
	if err != nil {
		return nil, &agentproto.LogError{Code: agentproto.LogBadQuery, Message: err.Error()}
	}
	found, err := logs.Find(settings.LogDir)
	if err != nil && !q.Follow { // a query that follows waits for the directory
		return nil, &agentproto.LogError{Code: agentproto.LogUnreadable, Message: err.Error()}
	}
	dir, err := logs.Open(found)
	if err != nil {
		return nil, &agentproto.LogError{Code: agentproto.LogUnreadable, Message: err.Error()}
	}
	masker := s.secrets(settings)
	return func(yield func(agentproto.LogLine, error) bool) {
		looked := time.Now()
		err := dir.Read(ctx, query, func(l logs.Line) error {
			if time.Since(looked) > checkSettingsEvery {
				if looked = time.Now(); !s.agent.brokerSettings().LogCollection {
					return &agentproto.LogError{Code: agentproto.LogDisabled, Message: sayCollect}
				}
			}
			out := agentproto.LogLine{At: l.At, Text: masker.Text(string(l.Text)), Mark: l.Mark.String(), Cut: l.Cut,
				Gap:    l.Gap,
				Passed: l.Passed}
			if !yield(out, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
			yield(agentproto.LogLine{}, err)
		}
	}, nil
}

// logQuery converts a query of the server to one of the reader.
func logQuery(q agentproto.LogQuery) (logs.Query, error) {
	after, err := logs.ParseMark(q.After)
	if err != nil {
		return logs.Query{}, err
	}
	level := emqxlog.Level(q.Level)
	if level != "" && !level.Valid() {
		return logs.Query{}, errors.New("the level is none of EMQX's")
	}
	return logs.Query{After: after, Since: q.Since, Until: q.Until, Tail: q.Tail, Level: level, Text: q.Text,
		Follow: q.Follow}, nil
}

// secretsAge is how long the secrets from EMQX's own files are cached.
const secretsAge = time.Minute

// secrets returns a masker of the secrets that this host knows.
func (s *logSource) secrets(settings broker.Settings) *emqxlog.Masker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.masker == nil || s.of != settings || time.Since(s.made) > secretsAge {
		s.masker, s.of, s.made = emqxlog.NewMasker(broker.Secrets(settings, s.agent.config.Root)), settings, time.Now()
	}
	return s.masker
}

// brokerSettings returns the settings in use, otherwise the stored ones.
func (a *Agent) brokerSettings() broker.Settings {
	a.state.mu.Lock()
	access := a.state.access
	a.state.mu.Unlock()
	if access != nil {
		return access.Settings()
	}
	s, err := broker.Load(a.home)
	if err != nil {
		return broker.Settings{} // the report says what is wrong with them
	}
	return s
}
