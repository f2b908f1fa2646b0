package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
)

// crew is the agents of one adopted cluster, each with a dashboard beside it that
// tells its node's name. What leads to the API logs in by itself, and is reached by
// nobody.
type crew struct {
	t  *testing.T
	mu sync.Mutex
	at map[string]*httptest.Server // by node; guarded by mu, as all below
	up []string                    // nodes whose agents are connected, the likeliest first
	// wrong is how often somebody was led to the API.
	wrong int
}

// beside puts an agent beside a node.
func (c *crew) beside(node string, h http.HandlerFunc) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Node", node)
		h(w, r)
	}))
	c.t.Cleanup(s.Close)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[node] = s
	c.up = append(c.up, node)
}

// connected says which agents are, the likeliest first.
func (c *crew) connected(nodes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = nodes
}

func (c *crew) Observe(ecp.ID) ecp.AgentsObservation {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := ecp.AgentsObservation{Since: time.Now().Add(-time.Hour)}
	for _, n := range c.up {
		o.Agents = append(o.Agents, ecp.AgentObservation{Agent: ecp.AgentID("agt-" + n), Connected: true,
			Report: &ecp.AgentReport{
				At: time.Now(), Node: n, Dashboard: true,
				Description: ecp.Description{Version: "5.8.9",
					Nodes: []ecp.BrokerNode{{Name: n, Status: ecp.NodeRunning}}},
			}})
	}
	return o
}

func (c *crew) Watch(ctx context.Context, _ func(ecp.ID)) error {
	<-ctx.Done()
	return nil
}

func (c *crew) Endpoint(context.Context, ecp.ID, string) (ecp.Endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong++
	return ecp.Endpoint{BaseURL: "http://api", Authenticated: true}, nil
}

func (c *crew) Dashboard(_ context.Context, _ ecp.ID, node string) (ecp.Endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, up := range c.up {
		if up == node || node == "" {
			return ecp.Endpoint{BaseURL: c.at[up].URL, Node: up,
				Transport: &http.Transport{DisableKeepAlives: true}}, nil
		}
	}
	return ecp.Endpoint{}, &ecp.Error{Code: ecp.CodeUnavailable, Op: "reach the dashboard",
		Message: "no agent of the cluster is connected; see emqxee-agent status on its hosts"}
}

func (c *crew) Drop(ecp.ID, ...ecp.AgentID) {}

// newAdopted is a rig with an adopted cluster in place of a hosted one.
func newAdopted(t *testing.T, change func(*DashboardsConfig)) (*house, *crew) {
	t.Helper()
	c := &crew{t: t, at: map[string]*httptest.Server{}}
	m, err := fleet.New(t.Context(), fleet.Config{
		Store: memstore.New(), Hasher: quickHasher{}, Link: c, AgentAddress: "https://ecp.example.com",
		Defaults: fleet.Defaults{Projects: []string{"default/default", "other/one"}},
	})
	require.NoError(t, err)
	r := rigOf(t, m)
	info, _, err := m.Create(system(t),
		fleet.CreateRequest{Mode: ecp.Adopted, Name: "one", Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
	require.NoError(t, err)
	r.id = info.ID
	t.Cleanup(func() { require.Zero(t, c.wrong, "nobody who came to a dashboard was led to the API") })
	return r.onPorts(change), c
}

// TestDashboardsOfAdoptedClusters: entering, pages and WebSockets go to the
// dashboard's side of an agent, with nothing added to what the browser sends; a
// session stays beside one node for as long as that one's agent is there, follows
// when it goes, and does not jump back.
func TestDashboardsOfAdoptedClusters(t *testing.T) {
	h, c := newAdopted(t, func(c *DashboardsConfig) { c.Recheck = 20 * time.Millisecond })
	for _, node := range []string{"emqx@a", "emqx@b"} {
		c.beside(node, func(w http.ResponseWriter, r *http.Request) {
			require.Empty(t, r.Header.Get("Authorization"))
			require.Empty(t, r.Header.Get("Cookie"))
			require.Equal(t, c.at[node].URL, "http://"+r.Host)
			if r.Header.Get("Upgrade") != "" {
				require.Equal(t, "http://"+r.Host, r.Header.Get("Origin"))
				echo(w, r)
				return
			}
			_, _ = io.WriteString(w, "EMQX")
		})
	}
	user, id := h.token(ecp.RoleUser, "default/default")
	stranger, _ := h.token(ecp.RoleProjectAdmin, "other/one")
	_, err := h.d.Open(h.as(stranger), h.id, "")
	require.ErrorIs(t, err, ecp.ErrNotFound)
	link, err := h.d.Open(h.as(user), h.id, "")
	require.NoError(t, err)
	require.Equal(t, access.ViaAgent, link.Via)

	b, origin := h.enter(user)
	node := func() string {
		got := get(t, b, origin+"/")
		require.Equal(t, 200, got.status, got.body)
		return got.header.Get("Node")
	}
	require.Equal(t, "emqx@a", node())
	c.connected("emqx@b", "emqx@a")
	require.Equal(t, "emqx@a", node(), "it serves still")
	c.connected("emqx@b")
	require.Equal(t, "emqx@b", node(), "requests follow")
	c.connected("emqx@a", "emqx@b")
	require.Equal(t, "emqx@b", node(), "nobody is moved without need")

	conn, in, res := h.dial(b, origin, "Origin", origin)
	require.Equal(t, 101, res.status)
	_, err = conn.Write([]byte("x"))
	require.NoError(t, err)
	_, err = in.ReadByte()
	require.NoError(t, err)

	c.connected()
	got := get(t, b, origin+"/")
	require.Equal(t, 503, got.status)
	require.Contains(t, got.body, "no agent of the cluster is connected")
	for _, via := range []access.DashboardVia{"", access.ViaAgent} {
		_, err = h.d.Open(h.as(user), h.id, via)
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.ErrorContains(t, err, "agent")
	}
	_, err = conn.Write([]byte("y"))
	require.NoError(t, err)
	_, err = in.ReadByte()
	require.NoError(t, err, "nobody who may be there is cut for want of a way for others")
	c.connected("emqx@a")
	require.Equal(t, "emqx@a", node(), "the session lives on")

	require.NoError(t, h.manager.Accounts.DeleteToken(system(t), id))
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 403, get(t, b, origin+"/").status)
}

// TestDirectDashboards: people are led to the address that a dashboard has of its
// own. Nothing of ours is in what they get, and it counts as no link of ours.
func TestDirectDashboards(t *testing.T) {
	const address = "https://emqx.example.com:18083/dash"
	h, c := newAdopted(t, nil)
	c.beside("emqx@a", func(http.ResponseWriter, *http.Request) { t.Error("nobody was to come here") })
	_, err := h.manager.Cluster(h.id).Do(system(t), ecp.Update{Patch: []byte(`{"serviceAddress":"` + address + `"}`)})
	require.NoError(t, err)
	user, _ := h.token(ecp.RoleUser, "default/default")
	for range maxLinksPerActor + 1 {
		link, err := h.d.Open(h.as(user), h.id, "")
		require.NoError(t, err)
		require.Equal(t, Link{URL: address, Via: access.ViaServiceAddress}, link)
	}
	require.Empty(t, h.d.sessions.(inMemory).links)
	require.Empty(t, h.d.ports.of)
	opened := h.audit("open dashboard")
	require.Len(t, opened, maxLinksPerActor+1)
	require.Contains(t, opened[0].Changes, change.AuditChange{Path: "/via", After: `"serviceAddress"`})

	link, err := h.d.Open(h.as(user), h.id, access.ViaAgent)
	require.NoError(t, err)
	require.NotContains(t, link.URL, "emqx.example.com")
	require.Contains(t, link.URL, enterPath)
	require.False(t, link.ExpiresAt.IsZero())

	nowhere, err := NewDashboards(DashboardsConfig{Manager: h.manager, SetupHint: "set dashboard.domain"})
	require.NoError(t, err)
	link, err = nowhere.Open(h.as(user), h.id, "")
	require.NoError(t, err)
	require.Equal(t, address, link.URL)
	before := len(h.audit("open dashboard"))
	_, err = nowhere.Open(h.as(user), h.id, access.ViaAgent)
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	require.ErrorContains(t, err, "set dashboard.domain")
	require.Len(t, h.audit("open dashboard"), before, "nobody was let through")
	w := httptest.NewRecorder()
	nowhere.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", strings.NewReader("")))
	require.Equal(t, 421, w.Code)
}
