package agents

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/random"
)

// MaxAgents is how many agents one cluster may have: EMQX clusters have fewer
// nodes.
const MaxAgents = 100

// Who acts without being a person: an agent that registers acts by its token, one
// that is registered for itself. No user's name can hold the colon.
const (
	registrationActor = "registration:"
	agentActor        = "agent:"
)

// Register redeems a registration token: the agent with the public key
// belongs to the token's cluster from now on. The same key again is the same
// agent: id and history stay, and so do those of the cluster. A token of another
// cluster takes the agent there. No actor is needed: the token is the right. The
// error of a token that is no good has [ErrTokenUnknown], [ErrTokenExpired] or
// [ErrTokenRevoked] as its cause.
func (m *Registry) Register(ctx context.Context, r ecp.AgentRegistration) (ecp.AgentRecord, error) {
	q := change.Request{Op: "register agent", Action: "register", Kind: ecp.KindAgent}
	if len(r.PublicKey) != ed25519.PublicKeySize {
		return ecp.AgentRecord{}, fault.Wrap(q.Op,
			ecp.NewError(ecp.CodeInvalid, "",
				fmt.Sprintf("the public key has %d bytes; an Ed25519 key has %d", len(r.PublicKey),
					ed25519.PublicKeySize)))
	}
	if ecp.OriginFrom(ctx) == (ecp.Origin{}) {
		ctx = ecp.WithOrigin(ctx, ecp.Origin{RemoteAddress: r.Remote})
	}
	hash := random.Hash(string(r.Token))
	var is ecp.AgentRecord
	var left ecp.ID // the cluster that the agent has left
	err := m.observed.Changes.DoAs(ctx, ecp.System, q, func(w *change.Tx) error {
		t, _, err := ecp.Get[ecp.RegistrationToken](w.Tx, hash)
		if errors.Is(err, ecp.ErrNotFound) {
			return &ecp.Error{Code: ecp.CodeDenied,
				Message: "the registration token is not known here; copy all of it from the cluster's guide, or ask " +
					"for a new one there", Cause: ErrTokenUnknown}
		}
		if err == nil {
			err = refuseRegistration(t, w.Now)
		}
		if err != nil {
			return err
		}
		w.Actor = ecp.Actor{Name: registrationActor + t.ID}
		is, left, err = m.registerTx(w, t, r)
		return err
	})
	if err != nil {
		return ecp.AgentRecord{}, err
	}
	if left != "" {
		m.observed.DropAgents(left, is.ID)
		m.wake(left) // what was wrong with the agent is wrong there no more
	}
	m.wake(is.Cluster)
	return is, nil
}

// registerTx stores an agent that comes with a token which is good.
func (m *Registry) registerTx(w *change.Tx, t ecp.RegistrationToken,
	r ecp.AgentRegistration) (is ecp.AgentRecord, left ecp.ID, _ error) {
	rec, _, err := observed.LoadTx(w.Tx, t.Cluster)
	if err != nil {
		return is, "", err
	}
	if rec.Deleting && !rec.OwesRelease() {
		return is, "", ecp.NewError(ecp.CodeConflict, "",
			fmt.Sprintf("the cluster %q is being deleted; no agent can register with it", rec.Name))
	}
	is = ecp.AgentRecord{ID: ecp.AgentIDOf(r.PublicKey), PublicKey: r.PublicKey}
	was, _, err := ecp.Get[ecp.AgentRecord](w.Tx, string(is.ID))
	known := err == nil
	if err != nil && !errors.Is(err, ecp.ErrNotFound) {
		return is, "", err
	}
	if known && !bytes.Equal(was.PublicKey, r.PublicKey) {
		return is, "", ecp.NewError(ecp.CodeConflict, "",
			"another agent's key has the same short name; let this agent make a new key")
	}
	if known {
		is = was
	}
	if known && was.Cluster != t.Cluster {
		if left, err = was.Cluster, m.leaveTx(w, was, "leave"); err != nil {
			return is, "", err
		}
		is.Node, is.LastSeen = "", time.Time{}
	}
	others, err := observed.ChildrenIn[ecp.AgentRecord](w.Tx, t.Cluster)
	if err != nil {
		return is, "", err
	}
	if n := len(others); n >= MaxAgents && (!known || left != "") {
		return is, "", ecp.NewError(ecp.CodeConflict, "",
			fmt.Sprintf("the cluster %q has %d agents, no more are allowed; remove those that are not used any more "+
				"first", rec.Name, n))
	}
	is.Cluster, is.Project, is.RegisteredAt, is.Token, is.Replaced = t.Cluster, rec.Project, w.Now, t.ID, ""
	noteInto(ecp.AgentNote{Version: r.Version, OS: r.OS, Arch: r.Arch, Hostname: r.Hostname}, &is)
	if node := derive.Clip(r.Node, observed.MaxAgentText); node != "" && node != is.Node {
		// A node whose agent may be alive stays that one's: which of them is right
		// shows when this one connects.
		if err := m.takeNode(w, rec.Project, &is, others, node); err != nil && ecp.CodeOf(err) != ecp.CodeConflict &&
			ecp.CodeOf(err) != ecp.CodeUnavailable {
			return is, "", err
		}
	}
	t.Uses++
	var before any
	if known && left == "" {
		before = auditedAgent(was)
	}
	w.Note(string(is.ID), rec.Project, before, auditedAgent(is))
	if err := errors.Join(ecp.Put(w.Tx, is, ecp.AnyVersion), ecp.Put(w.Tx, t, ecp.AnyVersion)); err != nil {
		return is, "", err
	}
	return is, left, m.awaitReports(w, rec, is)
}

// awaitReports lets a cluster that has no agent, or whose agents were not as they
// should be, wait for the first complete report of one that has registered.
func (m *Registry) awaitReports(w *change.Tx, rec ecp.ClusterRecord, is ecp.AgentRecord) error {
	if rec.Deleting {
		return nil
	}
	st := &rec.Status
	deadline := w.Now.Add(m.observed.Timings.Register)
	switch st.State {
	case ecp.Created, ecp.Abnormal:
		st.State, st.Since, st.Deadline = ecp.Registering, w.Now, deadline
		st.Reason, st.Message = ecp.ReasonInProgress,
			"the agent "+is.Name()+" has registered; its first complete report is awaited"
	case ecp.Registering:
		st.Deadline = deadline
	default:
		return nil
	}
	st.StaleFrom = time.Time{} // somebody was heard
	return derive.PutTransitions(w.Tx, []ecp.ClusterRecord{rec})
}

// takeNode records the node that an agent says it is beside. From an agent that
// is away it is taken over, which is audited; one that is connected keeps it, and
// the error is a conflict; unavailable where it may yet come back, because the
// program has only just begun to hear agents.
func (m *Registry) takeNode(w *change.Tx, project string, is *ecp.AgentRecord, others []ecp.AgentRecord,
	node string) error {
	obs := m.observed.Observe(is.Cluster)
	for _, other := range others {
		if other.ID == is.ID || other.Node != node {
			continue
		}
		seen, heard := obs.Of(other.ID)
		if seen.Connected {
			return ecp.NewError(ecp.CodeConflict, "",
				fmt.Sprintf("the node %s is that of the agent %s, which is connected from %s; two hosts use the same "+
					"node name, or two agents run beside one node", node, other.Name(), seen.Remote))
		}
		if !heard && obs.Unheard == "" && m.observed.Link != nil &&
			w.Now.Before(obs.Since.Add(m.observed.Timings.AgentReturn)) {
			return ecp.NewError(ecp.CodeUnavailable, "",
				fmt.Sprintf("the node %s is that of the agent %s, which may be about to connect again", node,
					other.Name()))
		}
		was := other
		other.Node, other.Replaced = "", is.ID
		w.NoteAs("take over node", "", string(other.ID), project, auditedAgent(was), auditedAgent(other))
		if err := ecp.Put(w.Tx, other, ecp.AnyVersion); err != nil {
			return err
		}
	}
	is.Node, is.Replaced = node, ""
	return nil
}

// leaveTx removes an agent from its cluster: its key is worth nothing from then
// on. A cluster that has no agent any more is as it was when it was created.
func (m *Registry) leaveTx(w *change.Tx, a ecp.AgentRecord, action string) error {
	rec, _, err := observed.LoadTx(w.Tx, a.Cluster)
	if err != nil {
		return err
	}
	w.NoteAs(action, "", string(a.ID), rec.Project, auditedAgent(a), nil)
	if err := w.Delete(ecp.KindAgent, string(a.ID)); err != nil {
		return err
	}
	rest, err := observed.ChildrenIn[ecp.AgentRecord](w.Tx, a.Cluster)
	if err != nil || len(rest) > 0 || rec.Deleting {
		return err
	}
	return derive.PutTransitions(w.Tx,
		adopted.Advance(m.observed.Timings, w.Now, rec, nil, nil, m.observed.AdoptedSnapshot(rec.ID),
			derive.Outcome{}).Transitions)
}

// Key returns an agent that may connect, with its key; not found where it
// never registered or was removed. No actor is needed: the key is the right.
func (m *Registry) Key(ctx context.Context, agent ecp.AgentID) (a ecp.AgentRecord, err error) {
	op := "read key of agent " + derive.Clip(string(agent), observed.MaxAgentText)
	err = m.observed.Store.Read(ctx,
		func(tx ecp.Tx) error { a, _, err = ecp.Get[ecp.AgentRecord](tx, string(agent)); return err })
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.AgentRecord{}, &ecp.Error{Code: ecp.CodeNotFound, Op: op,
			Message: "no such agent is registered here: it was removed, or registered with another server; register " +
				"it anew with a token from the cluster's guide"}
	}
	if err != nil {
		return ecp.AgentRecord{}, fault.Wrap(op, err)
	}
	return a, nil
}

// Unregister forgets an agent at its own request, which the caller has seen
// proved. Where it was the last one its cluster is created again.
func (m *Registry) Unregister(ctx context.Context, agent ecp.AgentID) error {
	a, err := m.Key(ctx, agent)
	if err != nil {
		return err
	}
	q := change.Request{Op: "unregister agent " + string(agent), Action: "unregister", Kind: ecp.KindAgent,
		Key: string(agent)}
	err = m.observed.Changes.DoAs(ctx, ecp.Actor{Name: agentActor + string(agent)}, q, func(w *change.Tx) error {
		if a, _, err = ecp.Get[ecp.AgentRecord](w.Tx, string(agent)); err != nil {
			return err
		}
		return m.leaveTx(w, a, q.Action)
	})
	if err != nil {
		return err
	}
	m.observed.DropAgents(a.Cluster, agent)
	m.wake(a.Cluster)
	return nil
}

// auditedAgent is what the audit tells of an agent.
func auditedAgent(a ecp.AgentRecord) any {
	return struct {
		Cluster  ecp.ID      `json:"cluster"`
		Node     string      `json:"node,omitempty"`
		Hostname string      `json:"hostname,omitempty"`
		Version  string      `json:"version,omitempty"`
		Came     string      `json:"registration,omitempty"`
		Replaced ecp.AgentID `json:"replaced,omitempty"`
	}{a.Cluster, a.Node, a.Hostname, a.Version, a.Token, a.Replaced}
}

// noteInto puts what a note says into a record, and reports whether that changed it.
func noteInto(n ecp.AgentNote, a *ecp.AgentRecord) (changed bool) {
	for _, f := range []struct {
		field *string
		is    string
	}{{&a.Version, n.Version}, {&a.OS, n.OS}, {&a.Arch, n.Arch}, {&a.Hostname, n.Hostname}} {
		if is := derive.Clip(f.is, observed.MaxAgentText); is != "" && is != *f.field {
			*f.field, changed = is, true
		}
	}
	if n.Seen.After(a.LastSeen) {
		a.LastSeen, changed = n.Seen.UTC(), true
	}
	return changed
}

// sortAgents orders agents by the node and host that people know them by.
func sortAgents(all []ecp.AgentInfo) {
	slices.SortFunc(all, func(a, b ecp.AgentInfo) int {
		return strings.Compare(a.Node+"\x00"+a.Hostname+"\x00"+string(a.ID),
			b.Node+"\x00"+b.Hostname+"\x00"+string(b.ID))
	})
}
