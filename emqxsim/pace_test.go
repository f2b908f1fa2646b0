package emqxsim_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// available asks what load balancers ask; 0 = the connection is refused.
func available(t *testing.T, n *emqxsim.Node) int {
	t.Helper()
	res, err := try(t.Context(), n.Endpoint(), "/api/v5/load_rebalance/availability_check")
	if err != nil {
		return 0
	}
	return res.status
}

// members are those that a node counts.
func members(t *testing.T, n *emqxsim.Node) int {
	t.Helper()
	list, _ := call(t, n, "GET", "/cluster", "").o["nodes"].([]any)
	return len(list)
}

// TestJoin: a new node is a cluster of its own first, which takes clients and says
// that it does; joining cuts them.
func TestJoin(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 1000}.RealPace())
	a := c.Join("emqx@a")
	require.Zero(t, available(t, a))
	k.advance(8 * time.Second)
	require.Equal(t, 404, available(t, a))
	k.advance(400 * time.Millisecond)
	require.Equal(t, 200, available(t, a))
	require.Equal(t, 1, members(t, a))

	b := c.Join("emqx@b")
	k.advance(8400 * time.Millisecond)
	require.Equal(t, 200, available(t, b), "it does not say that it is none of them")
	require.Equal(t, 1, members(t, b))
	require.Equal(t, 1, members(t, a))
	c.AddClients(emqxsim.Clients{Name: "c", Count: 10, Persistent: true})
	require.Equal(t, 5, c.Usage().Nodes["emqx@b"].Connected)
	k.advance(3 * time.Second)
	require.Zero(t, available(t, b), "it joins")
	require.Equal(t, 5, c.Usage().Connected)
	require.Equal(t, 5, c.Usage().Lost)
	k.advance(1200 * time.Millisecond)
	require.Equal(t, 200, available(t, b))
	require.Equal(t, 2, members(t, b))
	require.Equal(t, 2, members(t, a))

	b.Restart()
	k.advance(8400 * time.Millisecond)
	require.Equal(t, 2, members(t, b), "who was a member is one when it is back")

	a.Suspend()
	d := c.Join("emqx@d")
	k.advance(time.Minute)
	require.Equal(t, 1, members(t, d), "it does not join while a member hangs")
	a.Resume()
	k.advance(10 * time.Second)
	require.Equal(t, 3, members(t, d))
}

// TestSplit: for minutes nothing is told and everybody waits, then each side goes
// on by itself; afterwards the smaller one starts anew. A short one cuts nobody.
func TestSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := emqxsim.NewCluster(emqxsim.ClusterConfig{Limit: 1000, Pace: emqxsim.ClusterConfig{}.RealPace().Pace})
		a := c.Join("emqx@a")
		<-time.After(time.Second)
		c.Join("emqx@b")
		d := c.Join("emqx@d")
		<-time.After(10 * time.Second)
		require.Equal(t, 3, members(t, d))
		c.AddClients(emqxsim.Clients{Name: "c", Count: 9, Persistent: true})
		require.Equal(t, 9, c.Usage().Connected)
		asks := func(n *emqxsim.Node) (map[string]string, time.Duration) {
			start := time.Now()
			return statuses(t, n.Endpoint()), time.Since(start)
		}
		hangs := func(path string) bool {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v5"+path, nil)
			r.SetBasicAuth("admin", "public")
			a.Handler().ServeHTTP(httptest.NewRecorder(), r)
			return ctx.Err() != nil
		}

		c.Partition([]string{"emqx@d"})
		seen, took := asks(a)
		require.Equal(t, map[string]string{"emqx@a": "running", "emqx@b": "running", "emqx@d": "unknown"}, seen)
		require.Equal(t, 7500*time.Millisecond, took)
		require.True(t, hangs("/alarms"))
		require.False(t, hangs("/nodes/emqx@a"))
		c.AddClients(emqxsim.Clients{Name: "new", Count: 3})
		require.Equal(t, 9, c.Usage().Connected, "nobody gets in")
		require.Equal(t, 3, c.Refused()["member_hangs"])
		<-time.After(40 * time.Second)
		c.Partition()
		<-time.After(time.Minute)
		require.Equal(t, 3, members(t, a))
		require.Equal(t, 12, c.Usage().Connected)
		require.Zero(t, c.Usage().Lost, "nobody noticed")

		c.Partition([]string{"emqx@d"})
		<-time.After(140 * time.Second)
		seen, took = asks(a)
		require.Equal(t, map[string]string{"emqx@a": "running", "emqx@b": "running", "emqx@d": "stopped"}, seen)
		require.Zero(t, took)
		seen, _ = asks(d)
		require.Equal(t, map[string]string{"emqx@a": "stopped", "emqx@b": "stopped", "emqx@d": "running"}, seen)
		on := c.Usage().Nodes["emqx@d"].Connected
		require.NotZero(t, on)
		c.Partition()
		<-time.After(19 * time.Second)
		require.Equal(t, 1, members(t, d))
		require.Zero(t, c.Usage().Lost)
		<-time.After(time.Second)
		require.Equal(t, 3, members(t, a))
		require.NotZero(t, c.Usage().Lost, "the smaller side has restarted")
		<-time.After(time.Minute)
		require.Equal(t, 12, c.Usage().Connected)
	})
}

// TestWhoHasASessionOnAMemberThatHangs is turned away elsewhere until the others
// have given that member up.
func TestWhoHasASessionOnAMemberThatHangs(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Pace: emqxsim.Pace{Split: 45 * time.Second}})
	a := c.Join("emqx@a")
	c.AddClients(emqxsim.Clients{Name: "c", Count: 4, Persistent: true})
	c.Disconnect("c", 4)
	c.Join("emqx@b")
	a.Suspend()
	c.Reconnect("c", 4)
	require.Zero(t, c.Usage().Connected)
	require.Equal(t, 4, c.Refused()["member_hangs"])
	k.advance(2 * time.Minute)
	require.Equal(t, 4, c.Usage().Nodes["emqx@b"].Connected)
}

// TestAttemptsThatWaitTakeUpPlaces of clients that could be served.
func TestAttemptsThatWaitTakeUpPlaces(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now})
	a := c.Join("emqx@a")
	c.AddClients(emqxsim.Clients{Name: "c", Count: 4, Persistent: true})
	c.Disconnect("c", 4)
	c.Join("emqx@b")
	c.SetListener("tcp:default", 5, true)
	a.Suspend()
	c.Reconnect("c", 4)
	c.AddClients(emqxsim.Clients{Name: "new", Count: 3})
	require.Equal(t, 1, c.Usage().Nodes["emqx@b"].Connected)
	require.Equal(t, 2, c.Refused()["listener_full"])
	k.advance(3 * time.Minute)
	require.Equal(t, 5, c.Usage().Nodes["emqx@b"].Connected)
}

// TestJoinOfPods: a pod counts as ready ten seconds after its node has joined, so
// no client is there when it does; where joining takes longer, some are.
func TestJoinOfPods(t *testing.T) {
	late := emqxsim.ProvisionerConfig{Pace: emqxsim.Pace{Alone: 40 * time.Second}}.RealPace()
	late.AnswerTime, late.BootTime = 10*time.Second, 18*time.Second
	for name, c := range map[string]struct {
		cfg  emqxsim.ProvisionerConfig
		lost bool
	}{
		"in time": {emqxsim.ProvisionerConfig{}.RealPace(), false},
		"late":    {late, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := newClock()
			c.cfg.Now, c.cfg.Limit = k.Now, 1000
			p := newProvisioner(t, c.cfg)
			d := wanted("emqx-00000001", "5.8.9", 1)
			require.NoError(t, p.Apply(t.Context(), d))
			k.advance(7 * time.Second)
			first := nodeOf(t, p, d.ID, 0)
			answers := func(node string) bool {
				e, err := p.Endpoint(t.Context(), d.ID, node)
				require.NoError(t, err)
				_, err = try(t.Context(), e, "/status")
				return err == nil
			}
			require.False(t, answers(first))
			k.advance(time.Second)
			require.True(t, answers(first))
			k.advance(c.cfg.AnswerTime)
			sim := p.Cluster(d.ID)
			sim.AddClients(emqxsim.Clients{Name: "c", Count: 10, Persistent: true})
			require.Equal(t, 10, sim.Usage().Connected)

			d.Replicas, d.Spec.Nodes = 3, 3
			require.NoError(t, p.Apply(t.Context(), d))
			joined := time.Duration(0)
			for range 80 {
				k.advance(time.Second)
				sim.AddClients(emqxsim.Clients{Name: "guest", Count: 6, Persistent: true}) // they come anew each second
				if members(t, sim.Node(first)) < 3 {
					joined += time.Second
				}
			}
			o, err := p.Observe(t.Context(), d.ID)
			require.NoError(t, err)
			require.Equal(t, 3, readyNodes(o))
			require.Equal(t, 3, members(t, sim.Node(first)))
			require.Equal(t, c.lost, joined > c.cfg.BootTime)
			require.Equal(t, c.lost, sim.Usage().Lost > 0, "%d lost", sim.Usage().Lost)
		})
	}
}

// nodeOf is the name of a node.
func nodeOf(t *testing.T, p *emqxsim.Provisioner, id ecp.ID, ordinal int) string {
	t.Helper()
	o, err := p.Observe(t.Context(), id)
	require.NoError(t, err)
	return o.Nodes[ordinal].Name
}
