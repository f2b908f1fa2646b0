package fleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/pruning"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/stretchr/testify/require"
)

// plant is a Manager whose passes are made by hand, with an adopted cluster and a
// Link that shows what a test says.
type plant struct {
	t    require.TestingT
	s    *mapstore.Store
	link *FakeLink
	m    *Manager
	now  time.Time
	id   ecp.ID
}

func newPlant(t require.TestingT) *plant {
	p := &plant{t: t, s: mapstore.New(), now: t0}
	p.restart()
	p.now = p.now.Add(time.Hour)
	p.id = p.adopt("plant", "a/p")
	return p
}

// restart starts the program anew: it can hear agents from now on.
func (p *plant) restart() {
	p.link = &FakeLink{since: p.now}
	m, err := New(asSystem(), Config{
		Store: p.s, Link: p.link, AgentAddress: "https://ecp.example.com", Now: func() time.Time { return p.now },
		Provisioners: map[string]ecp.Provisioner{
			"default": newWorld(),
		}, Defaults: Defaults{Projects: []string{"a/p", "a/q", "b/p"}},
	})
	require.NoError(p.t, err)
	m.setTick(func() time.Time { return p.now })
	p.m = m
}

func (p *plant) adopt(name, project string) ecp.ID {
	info, op, err := p.m.Create(asSystem(), CreateRequest{Mode: ecp.Adopted, Project: project, Name: name})
	require.NoError(p.t, err)
	require.Zero(p.t, op)
	return info.ID
}

func (p *plant) token(id ecp.ID) (ecp.RegistrationToken, ecp.Secret) {
	t, secret, err := p.m.Agents.CreateRegistration(asSystem(), id, 0)
	require.NoError(p.t, err)
	return t, secret
}

// keyOf is the public key of an agent of a test.
func keyOf(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

func (p *plant) register(secret ecp.Secret, name string) (ecp.AgentRecord, error) {
	return p.m.Agents.Register(context.Background(), ecp.AgentRegistration{
		Token:     secret,
		PublicKey: keyOf(name),
		Hostname:  "host-" + name,
		Version:   "1.0.0",
		OS:        "linux",
		Arch:      "arm64",
		Remote:    "192.0.2.7",
	})
}

// agent registers one with the plant.
func (p *plant) agent(name string) ecp.AgentID {
	_, secret := p.token(p.id)
	a, err := p.register(secret, name)
	require.NoError(p.t, err)
	return a.ID
}

// look lets the engine work once, after some time, and gives the record.
func (p *plant) look(after time.Duration) ecp.ClusterRecord {
	p.now = p.now.Add(after)
	p.m.reconcile(context.Background(), p.id)
	return p.rec(p.id)
}

func (p *plant) rec(id ecp.ID) ecp.ClusterRecord {
	if r, ok := p.s.Records[ecp.KindCluster][string(id)]; ok {
		return r.Payload.(ecp.ClusterRecord)
	}
	return ecp.ClusterRecord{Status: ecp.Status{State: ecp.Gone}}
}

// reports shows an agent that is connected and has just reported; nodes are the
// members it counts as running, its own first.
func (p *plant) reports(id ecp.AgentID, nodes ...string) {
	r := ecp.AgentReport{
		At:          p.now,
		Description: ecp.Description{Version: "5.8.9", Edition: ecp.EditionEnterprise, Limit: 100},
	}
	for _, n := range nodes {
		r.Node = nodes[0]
		r.Description.Nodes = append(r.Description.Nodes,
			ecp.BrokerNode{Name: n, Status: ecp.NodeRunning, Role: "core", Connections: 7})
	}
	p.show(id, r)
}

func (p *plant) show(id ecp.AgentID, r ecp.AgentReport) {
	since := p.now.Add(-time.Millisecond)
	if seen, ok := p.link.Observe(p.id).Of(id); ok && seen.Connected {
		since = seen.Since
	}
	p.link.Show(p.id, ecp.AgentObservation{Agent: id, Connected: true, Since: since, LastSeen: p.now, Report: &r})
}

// away shows an agent whose connection has just ended.
func (p *plant) away(id ecp.AgentID, clean bool) {
	seen, _ := p.link.Observe(p.id).Of(id)
	seen.Agent, seen.Connected, seen.Clean, seen.Since = id, false, clean, p.now
	p.link.Show(p.id, seen)
}

// audit tells what was done, oldest first.
func (p *plant) audit(kind ecp.Kind) (out []string) {
	for _, key := range slices.Sorted(maps.Keys(p.s.Records[ecp.KindAudit])) {
		if e := p.s.Records[ecp.KindAudit][key].Payload.(change.AuditEntry); e.Kind == kind {
			out = append([]string{e.Actor + " " + e.Action + " " + e.Scope}, out...)
		}
	}
	return out
}

func TestRegistrationTokens(t *testing.T) {
	p := newPlant(t)
	one, secret := p.token(p.id)
	require.Len(t, string(secret), 32)
	require.Equal(t, p.now.Add(24*time.Hour), one.ExpiresAt)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", secret, one, secret), string(secret))
	p.now = p.now.Add(time.Minute)
	two, _, err := p.m.Agents.CreateRegistration(asSystem(), p.id, time.Minute)
	require.NoError(t, err)
	for _, life := range []time.Duration{-1, time.Minute - 1, 30*24*time.Hour + 1} {
		_, _, err := p.m.Agents.CreateRegistration(asSystem(), p.id, life)
		var e *ecp.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "life", e.Fields[0].Field, "%s", life)
	}
	list, err := p.m.Agents.Registrations(asSystem(), p.id)
	require.NoError(t, err)
	require.Equal(t, []ecp.RegistrationToken{two, one}, list, "the newest first")

	// Several agents may use one, and it is counted.
	for _, name := range []string{"x", "y", "x"} {
		_, err := p.register(secret, name)
		require.NoError(t, err)
	}
	found, err := p.m.Agents.List(asSystem(), p.id)
	require.NoError(t, err)
	require.Len(t, found, 2)
	list, _ = p.m.Agents.Registrations(asSystem(), p.id)
	require.Equal(t, 3, list[1].Uses)

	// What is over is told apart.
	_, err = p.register("00000000000000000000000000000000", "z")
	require.ErrorIs(t, err, agents.ErrTokenUnknown)
	require.ErrorIs(t, err, ecp.ErrDenied)
	require.NoError(t, p.m.Agents.RevokeRegistration(asSystem(), p.id, one.ID))
	require.NoError(t, p.m.Agents.RevokeRegistration(asSystem(), p.id, one.ID), "once more changes nothing")
	_, err = p.register(secret, "z")
	require.ErrorIs(t, err, agents.ErrTokenRevoked)
	_, third := p.token(p.id)
	p.now = p.now.Add(24 * time.Hour)
	_, err = p.register(third, "z")
	require.ErrorIs(t, err, agents.ErrTokenExpired)
	require.ErrorIs(t, p.m.Agents.RevokeRegistration(asSystem(), p.id, "reg-none"), ecp.ErrNotFound)
	other := p.adopt("other", "a/p")
	require.ErrorIs(t, p.m.Agents.RevokeRegistration(asSystem(), other, two.ID), ecp.ErrNotFound, "of another cluster")
	require.ElementsMatch(t, []string{
		"system create a/p", "system create a/p", "system create a/p", "system revoke a/p",
	}, p.audit(ecp.KindRegistrationToken))
	require.Equal(t, []string{
		"registration:" + one.ID + " register a/p", "registration:" + one.ID + " register a/p",
		"registration:" + one.ID + " register a/p",
	}, p.audit(ecp.KindAgent))
	p.stored(string(secret), string(third))
}

// stored requires that none of some secrets stands anywhere in the store.
func (p *plant) stored(secrets ...string) {
	for kind, of := range p.s.Records {
		b, err := json.Marshal(of)
		require.NoError(p.t, err)
		for _, secret := range secrets {
			require.NotContains(p.t, string(b), secret, "among the records of kind %s", kind)
		}
	}
}

// TestRegistrationSecretIsShownOnce: who repeats the call gets the same token and
// not its secret.
func TestRegistrationSecretIsShownOnce(t *testing.T) {
	p := newPlant(t)
	ctx := ecp.WithIdempotencyKey(asSystem(), "k")
	one, secret, err := p.m.Agents.CreateRegistration(ctx, p.id, 0)
	require.NoError(t, err)
	again, none, err := p.m.Agents.CreateRegistration(ctx, p.id, 0)
	require.NoError(t, err)
	require.Equal(t, one, again)
	require.Empty(t, string(none))
	p.stored(string(secret))
}

func TestRegistrationsAreBounded(t *testing.T) {
	p := newPlant(t)
	var first ecp.RegistrationToken
	for i := range agents.MaxRegistrations {
		one, _ := p.token(p.id)
		if i == 0 {
			first = one
		}
	}
	_, _, err := p.m.Agents.CreateRegistration(asSystem(), p.id, 0)
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.NoError(t, p.m.Agents.RevokeRegistration(asSystem(), p.id, first.ID))
	_, secret := p.token(p.id)
	for i := range agents.MaxAgents {
		_, err := p.register(secret, fmt.Sprint(i))
		require.NoError(t, err)
	}
	_, err = p.register(secret, "one more")
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, "has 100 agents")
	_, err = p.register(secret, "7")
	require.NoError(t, err, "one that is there already")
}

// TestRegistrationsOverAreForgotten: not before who comes with one could have been
// told.
func TestRegistrationsOverAreForgotten(t *testing.T) {
	p := newPlant(t)
	p.token(p.id)
	p.now = p.now.Add(24*time.Hour + agents.RegistrationKept - time.Second)
	require.NoError(t, p.m.pruning.Once(asSystem()))
	require.Len(t, p.s.Records[ecp.KindRegistrationToken], 1)
	p.now = p.now.Add(time.Second)
	require.NoError(t, p.m.pruning.Once(asSystem()))
	require.Empty(t, p.s.Records[ecp.KindRegistrationToken])
}

// TestTokensThatAreOverAreFew: who makes tokens and revokes them fills no store, and
// the last of them are still told apart.
func TestTokensThatAreOverAreFew(t *testing.T) {
	p := newPlant(t)
	kept, _ := p.token(p.id)
	var last ecp.Secret
	for range agents.MaxRegistrationsOver + 20 {
		p.now = p.now.Add(time.Second)
		var one ecp.RegistrationToken
		one, last = p.token(p.id)
		require.NoError(t, p.m.Agents.RevokeRegistration(asSystem(), p.id, one.ID))
	}
	p.token(p.id)
	all, err := p.m.Agents.Registrations(asSystem(), p.id)
	require.NoError(t, err)
	require.Len(t, all, agents.MaxRegistrationsOver+2)
	require.Equal(t, kept.ID, all[len(all)-1].ID, "one that is good is not forgotten, however old it is")
	_, err = p.register(last, "x")
	require.ErrorIs(t, err, agents.ErrTokenRevoked)
}

// TestTombstonesAreForgotten: after a year, or later where operations or the audit
// are kept longer.
func TestTombstonesAreForgotten(t *testing.T) {
	for _, kept := range []time.Duration{0, 500 * 24 * time.Hour} {
		p := newPlant(t)
		p.m.pruning.AuditKept = max(kept, p.m.pruning.AuditKept)
		_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{})
		require.NoError(t, err)
		require.Equal(t, ecp.Gone, p.look(0).Status.State)
		p.now = p.now.Add(max(kept, pruning.TombstoneKept))
		require.NoError(t, p.m.pruning.Once(asSystem()))
		require.Len(t, p.s.Records[ecp.KindTombstone], 1)
		p.now = p.now.Add(time.Second)
		require.NoError(t, p.m.pruning.Once(asSystem()))
		require.Empty(t, p.s.Records[ecp.KindTombstone])
	}
}

// TestRegistrationRights: agents let themselves in with a token only; who may not
// command the cluster makes none, and who may not read it learns nothing of it.
func TestRegistrationRights(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	as := func(role ecp.Role, org, project string) context.Context {
		return ecp.WithActor(context.Background(),
			ecp.Actor{Name: "ann", Grants: []ecp.Grant{{Role: role, Org: org, Project: project}}})
	}
	calls := map[string]func(ctx context.Context) error{
		"create": func(ctx context.Context) error {
			_, _, err := p.m.Agents.CreateRegistration(ctx, p.id, 0)
			return err
		},
		"list":   func(ctx context.Context) error { _, err := p.m.Agents.Registrations(ctx, p.id); return err },
		"revoke": func(ctx context.Context) error { return p.m.Agents.RevokeRegistration(ctx, p.id, "reg-none") },
		"remove": func(ctx context.Context) error { return p.m.Agents.Remove(ctx, p.id, "agt-none") },
		"agents": func(ctx context.Context) error { _, err := p.m.Agents.List(ctx, p.id); return err },
	}
	for name, call := range calls {
		require.ErrorIs(t, call(context.Background()), ecp.ErrDenied, name)
		require.ErrorIs(t, call(as(ecp.RoleOrgAdmin, "b", "")), ecp.ErrNotFound, name)
		if err := call(as(ecp.RoleUser, "", "a/p")); name == "agents" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ecp.ErrDenied, name)
		}
		require.NotErrorIs(t, call(as(ecp.RoleProjectAdmin, "", "a/p")), ecp.ErrDenied, name)
	}
	hosted, _, err := p.m.Create(asSystem(), CreateRequest{
		Mode:    ecp.Hosted,
		Project: "a/p",
		Name:    "h",
		Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 1}},
	})
	require.NoError(t, err)
	_, _, err = p.m.Agents.CreateRegistration(asSystem(), hosted.ID, 0)
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	require.ErrorIs(t, p.m.Agents.Remove(asSystem(), hosted.ID, agent), ecp.ErrUnsupported)
}

// TestTheSameKeyIsTheSameAgent: registering again keeps id and history; a token of
// another cluster takes the agent there, told on both sides.
func TestTheSameKeyIsTheSameAgent(t *testing.T) {
	p := newPlant(t)
	first := p.agent("x")
	require.NoError(t, p.m.Agents.Note(t.Context(), first, ecp.AgentNote{Node: "emqx@x", Seen: p.now}))
	p.now = p.now.Add(time.Minute)
	require.Equal(t, first, p.agent("x"))
	a, err := p.m.Agents.Key(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, "emqx@x", a.Node)
	require.Equal(t, p.now, a.RegisteredAt)
	require.False(t, a.LastSeen.IsZero())
	require.True(t, bytes.Equal(keyOf("x"), a.PublicKey))

	other := p.adopt("other", "b/p")
	_, secret := p.token(other)
	queued(p.m.queue)
	moved, err := p.register(secret, "x")
	require.NoError(t, err)
	require.Equal(t, map[ecp.ID]bool{p.id: true, other: true}, queued(p.m.queue), "both are looked at")
	require.Equal(t, first, moved.ID)
	require.Equal(t, other, moved.Cluster)
	require.Empty(t, moved.Node)
	require.Equal(t, []ecp.AgentID{first}, p.link.dropped, "its connection as an agent of the old cluster is closed")
	require.Equal(t, ecp.Created, p.rec(p.id).Status.State, "it was the last one")
	require.Equal(t, ecp.Registering, p.rec(other).Status.State)
	told := strings.Join(p.audit(ecp.KindAgent), "\n")
	require.Contains(t, told, " leave a/p")
	require.Contains(t, told, " register b/p")
	_, err = p.m.Agents.Register(t.Context(), ecp.AgentRegistration{Token: secret, PublicKey: []byte("short")})
	require.ErrorIs(t, err, ecp.ErrInvalid)
}

// TestRegisteringMovesTheCluster: only where it waits for agents, or is not well.
func TestRegisteringMovesTheCluster(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	st := p.rec(p.id).Status
	require.Equal(t, ecp.Registering, st.State)
	require.Equal(t, p.now.Add(time.Minute), st.Deadline)
	p.reports(agent, "emqx@x")
	require.Equal(t, ecp.Running, p.look(time.Second).Status.State)
	p.agent("y")
	require.Equal(t, ecp.Running, p.rec(p.id).Status.State, "a second one is no reason to leave it")
	p.away(agent, true)
	require.Equal(t, ecp.Abnormal, p.look(5*time.Second).Status.State)
	p.agent("x")
	require.Equal(t, ecp.Registering, p.rec(p.id).Status.State)

	_, secret := p.token(p.id)
	_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{})
	require.NoError(t, err)
	_, err = p.register(secret, "z")
	require.ErrorIs(t, err, agents.ErrTokenUnknown, "tokens go with the command")
	_, _, err = p.m.Agents.CreateRegistration(asSystem(), p.id, 0)
	require.ErrorIs(t, err, ecp.ErrConflict)
}

func TestUnregisterAndRemove(t *testing.T) {
	p := newPlant(t)
	x, y := p.agent("x"), p.agent("y")
	p.reports(x, "emqx@x")
	p.reports(y, "emqx@x")
	require.Equal(t, ecp.Running, p.look(time.Second).Status.State)
	require.NoError(t, p.m.Agents.Remove(asSystem(), p.id, x))
	require.Equal(t, ecp.Running, p.rec(p.id).Status.State)
	_, err := p.m.Agents.Key(t.Context(), x)
	require.ErrorIs(t, err, ecp.ErrNotFound)
	require.ErrorIs(t, p.m.Agents.Remove(asSystem(), p.id, x), ecp.ErrNotFound)
	require.NoError(t, p.m.Agents.Unregister(t.Context(), y))
	require.Equal(t, ecp.Created, p.rec(p.id).Status.State, "in the transaction that takes the last one away")
	require.ErrorIs(t, p.m.Agents.Unregister(t.Context(), y), ecp.ErrNotFound)
	require.Equal(t, []ecp.AgentID{x, y}, p.link.dropped)
	require.Subset(t, p.audit(ecp.KindAgent), []string{"system remove a/p", "agent:" + string(y) + " unregister a/p"})
	require.ErrorIs(t, p.m.Agents.Note(t.Context(), x, ecp.AgentNote{Version: "2"}), ecp.ErrNotFound)
}

// TestTakingANodeOver: from an agent that is away; one that is there keeps it.
func TestTakingANodeOver(t *testing.T) {
	p := newPlant(t)
	old, fresh := p.agent("old"), p.agent("new")
	p.reports(old, "emqx@n")
	require.NoError(t, p.m.Agents.Note(t.Context(), old, ecp.AgentNote{Node: "emqx@n"}))
	err := p.m.Agents.Note(t.Context(), fresh, ecp.AgentNote{Node: "emqx@n"})
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, "host-old, emqx@n), which is connected")
	_, secret := p.token(p.id)
	third, err := p.m.Agents.Register(t.Context(),
		ecp.AgentRegistration{Token: secret, PublicKey: keyOf("third"), Node: "emqx@n"})
	require.NoError(t, err, "it may register, but not in that place")
	require.Empty(t, third.Node)

	p.away(old, false)
	require.NoError(t, p.m.Agents.Note(t.Context(), fresh, ecp.AgentNote{Node: "emqx@n"}))
	was, err := p.m.Agents.Key(t.Context(), old)
	require.NoError(t, err)
	require.Equal(t, fresh, was.Replaced)
	require.Empty(t, was.Node)
	require.Contains(t, p.audit(ecp.KindAgent), "agent:"+string(fresh)+" take over node a/p")

	// It counts no more, and is forgotten after a day.
	require.NoError(t, p.m.Agents.Remove(asSystem(), p.id, third.ID))
	p.reports(fresh, "emqx@n")
	require.Equal(t, ecp.Running, p.look(10*time.Second).Status.State)
	for range 24 * 60 {
		p.now = p.now.Add(time.Minute)
		p.reports(fresh, "emqx@n")
		require.Equal(t, ecp.Running, p.look(0).Status.State)
	}
	_, err = p.m.Agents.Key(t.Context(), old)
	require.ErrorIs(t, err, ecp.ErrNotFound)
	require.Contains(t, p.audit(ecp.KindAgent), "system forget a/p")
}

// TestNodesAreNotTakenFromAgentsThatMayComeBack: right after a start nobody is
// connected, which says nothing.
func TestNodesAreNotTakenFromAgentsThatMayComeBack(t *testing.T) {
	p := newPlant(t)
	old, fresh := p.agent("old"), p.agent("new")
	require.NoError(t, p.m.Agents.Note(t.Context(), old, ecp.AgentNote{Node: "emqx@n"}))
	p.restart()
	require.ErrorIs(t, p.m.Agents.Note(t.Context(), fresh, ecp.AgentNote{Node: "emqx@n"}), ecp.ErrUnavailable)
	p.now = p.now.Add(time.Minute)
	require.NoError(t, p.m.Agents.Note(t.Context(), fresh, ecp.AgentNote{Node: "emqx@n"}))
}

// TestWhatAgentsTellIsBounded: it comes from the network, and goes to people.
func TestWhatAgentsTellIsBounded(t *testing.T) {
	p := newPlant(t)
	_, secret := p.token(p.id)
	a, err := p.m.Agents.Register(t.Context(), ecp.AgentRegistration{
		Token:     secret,
		PublicKey: keyOf("x"),
		Hostname:  strings.Repeat("é", 300),
		Node:      "emqx@\x1b[31m\nx",
		Version:   "1\xff",
		OS:        " linux ",
	})
	require.NoError(t, err)
	require.LessOrEqual(t, len(a.Hostname), observed.MaxAgentText)
	require.Equal(t, "emqx@ [31m x", a.Node)
	require.Equal(t, "1�", a.Version)
	require.Equal(t, "linux", a.OS)
}

// TestTokensOfBeforeATransfer: who made tokens in one project registers no agents
// with a cluster that is another one's by now; agents that have registered stay.
func TestTokensOfBeforeATransfer(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	_, secret := p.token(p.id)
	_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Transfer{Project: "a/p"}) // where it is
	require.NoError(t, err)
	_, err = p.register(secret, "y")
	require.NoError(t, err)
	_, err = p.m.Cluster(p.id).Do(asSystem(), ecp.Transfer{Project: "b/p"})
	require.NoError(t, err)
	_, err = p.register(secret, "z")
	require.ErrorIs(t, err, agents.ErrTokenRevoked)
	_, err = p.register(secret, "x")
	require.ErrorIs(t, err, agents.ErrTokenRevoked)
	_, err = p.m.Agents.Key(context.Background(), agent)
	require.NoError(t, err)
	require.Contains(t, p.audit(ecp.KindRegistrationToken)[len(p.audit(ecp.KindRegistrationToken))-1], "revoke")
	_, fresh := p.token(p.id)
	_, err = p.register(fresh, "z")
	require.NoError(t, err)
}
