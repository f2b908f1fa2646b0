package httpapi

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// farLink leads to one adopted cluster with one agent, which has kept samples.
type farLink struct {
	node *emqxsim.Node

	mu    sync.Mutex
	agent ecp.AgentID // guarded by mu, as all below; "" = none is connected
	wake  func(ecp.ID)
	kept  []ecp.AgentSample
	err   error
}

func (l *farLink) Observe(ecp.ID) (o ecp.AgentsObservation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.agent == "" {
		return o
	}
	running := []ecp.BrokerNode{{Name: l.node.Name(), Status: ecp.NodeRunning}}
	return ecp.AgentsObservation{Agents: []ecp.AgentObservation{{Agent: l.agent, Connected: true, Since: time.Now(),
		Report: &ecp.AgentReport{At: time.Now(), Node: l.node.Name(),
			Description: ecp.Description{Version: "4.4.24", Nodes: running}}}}}
}

func (l *farLink) Watch(ctx context.Context, wake func(ecp.ID)) error {
	l.mu.Lock()
	l.wake = wake
	l.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (l *farLink) Endpoint(context.Context, ecp.ID, string) (ecp.Endpoint, error) {
	return l.node.Endpoint(), nil
}

func (l *farLink) Dashboard(context.Context, ecp.ID, string) (e ecp.Endpoint, err error) {
	return e, ecp.ErrUnavailable
}

func (l *farLink) Drop(ecp.ID, ...ecp.AgentID) {}

func (l *farLink) Samples(context.Context, ecp.ID, time.Time) ([][]ecp.AgentSample, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return [][]ecp.AgentSample{l.kept}, l.err
}

// The series of an adopted EMQX 4 is that of its agents, with the times of which they
// know nothing; what could not be read of them is said beside it.
func TestSeriesOfAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.24", Username: "key", Password: "secret"})
		sim.AddFault(emqxsim.Fault{Path: "/api/v4/monitor/metrics/**", Status: http.StatusNotFound, Body: "Not found.",
			ContentType: "text/plain"})
		l := &farLink{node: sim.Join("emqx@10.0.0.1")}
		f := newFixture(t, setup{bare: true, talks: true, run: true, link: l})
		id := f.serve(asAdmin, http.MethodPost, clustersPath, `{"mode":"adopted","name":"far"}`, nil).
			want(http.StatusCreated).cluster().ID
		ctx := ecp.WithActor(t.Context(), ecp.System)
		_, secret, err := f.manager.Agents.CreateRegistration(ctx, ecp.ID(id), 0)
		require.NoError(t, err)
		key, _, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		a, err := f.manager.Agents.Register(ctx, ecp.AgentRegistration{Token: secret, PublicKey: key})
		require.NoError(t, err)
		synctest.Wait()
		l.mu.Lock()
		l.agent = a.ID
		wake := l.wake
		l.mu.Unlock()
		wake(ecp.ID(id))
		f.eventually("it runs", func() (bool, any) {
			c := f.read(clustersPath + "/" + id).cluster()
			return c.Status.State == "running", c.Status
		})

		sample := func(ago time.Duration) ecp.AgentSample {
			return ecp.AgentSample{Over: 10 * time.Second,
				TrafficSample: ecp.TrafficSample{At: time.Now().UTC().Add(-ago), Connections: 7, Received: 4}}
		}
		l.kept = []ecp.AgentSample{sample(30 * time.Minute), sample(10 * time.Second)}
		var stats statsView
		answer := conform[statsView](f.read(clustersPath+"/"+id+"/stats?window=1h").want(http.StatusOK), f.api)
		answer.into(&stats)
		require.Len(t, stats.Series, 2)
		require.Equal(t, int64(4), stats.Series[0].Received)
		require.Len(t, stats.Gaps, 2)
		require.Equal(t, stats.Series[0].At, stats.Gaps[1].From)
		require.Empty(t, stats.SeriesError)

		l.kept, l.err = nil, &ecp.Error{Code: ecp.CodeUnavailable, Message: "agent a is slow"}
		stats = statsView{}
		f.read(clustersPath + "/" + id + "/stats?window=1h").want(http.StatusOK).into(&stats)
		require.Empty(t, stats.Series)
		require.Len(t, stats.Gaps, 1)
		require.Contains(t, stats.SeriesError, "agent a is slow")
	})
}
