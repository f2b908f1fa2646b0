package ecp

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxAgents is how many agents one cluster may have: EMQX clusters have fewer
// nodes.
const maxAgents = 100

// Who acts without being a person: an agent that registers acts by its token, one
// that is registered for itself. No user's name can hold the colon.
const (
	registrationActor = "registration:"
	agentActor        = "agent:"
)

// RegisterAgent redeems a registration token: the agent with the public key
// belongs to the token's cluster from now on. The same key again is the same
// agent: id and history stay, and so do those of the cluster. A token of another
// cluster takes the agent there. No actor is needed: the token is the right. The
// error of a token that is no good has [ErrTokenUnknown], [ErrTokenExpired] or
// [ErrTokenRevoked] as its cause.
func (m *Manager) RegisterAgent(ctx context.Context, r AgentRegistration) (AgentRecord, error) {
	q := request{op: "register agent", action: "register", kind: KindAgent}
	if len(r.PublicKey) != ed25519.PublicKeySize {
		return AgentRecord{}, explain(q.op, fail(CodeInvalid, "", fmt.Sprintf("the public key has %d bytes; an Ed25519 key has %d", len(r.PublicKey), ed25519.PublicKeySize)), "", "")
	}
	if originFrom(ctx) == (Origin{}) {
		ctx = WithOrigin(ctx, Origin{RemoteAddress: r.Remote})
	}
	hash := hashToken(string(r.Token))
	var is AgentRecord
	var left ID // the cluster that the agent has left
	err := m.byItself(ctx, q, func(w *work) error {
		t, _, err := Get[RegistrationToken](w.Tx, hash)
		if errors.Is(err, ErrNotFound) {
			return &Error{Code: CodeDenied, Message: "the registration token is not known here; copy all of it from the cluster's guide, or ask for a new one there", Cause: ErrTokenUnknown}
		}
		if err == nil {
			err = refuseRegistration(t, w.now)
		}
		if err != nil {
			return err
		}
		w.actor = Actor{Name: registrationActor + t.ID}
		is, left, err = m.registerTx(w, t, r)
		return err
	})
	if err != nil {
		return AgentRecord{}, err
	}
	if left != "" {
		m.drop(left, is.ID)
		m.queue.add(left) // what was wrong with the agent is wrong there no more
	}
	m.queue.add(is.Cluster)
	return is, nil
}

// registerTx stores an agent that comes with a token which is good.
func (m *Manager) registerTx(w *work, t RegistrationToken, r AgentRegistration) (is AgentRecord, left ID, _ error) {
	rec, _, err := loadTx(w.Tx, t.Cluster)
	if err != nil {
		return is, "", err
	}
	if rec.Deleting && !rec.owesRelease() {
		return is, "", fail(CodeConflict, "", fmt.Sprintf("the cluster %q is being deleted; no agent can register with it", rec.Name))
	}
	is = AgentRecord{ID: agentIDOf(r.PublicKey), PublicKey: r.PublicKey}
	was, _, err := Get[AgentRecord](w.Tx, string(is.ID))
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return is, "", err
	}
	if known && !bytes.Equal(was.PublicKey, r.PublicKey) {
		return is, "", fail(CodeConflict, "", "another agent's key has the same short name; let this agent make a new key")
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
	others, err := childrenIn[AgentRecord](w.Tx, t.Cluster)
	if err != nil {
		return is, "", err
	}
	if n := len(others); n >= maxAgents && (!known || left != "") {
		return is, "", fail(CodeConflict, "", fmt.Sprintf("the cluster %q has %d agents, no more are allowed; remove those that are not used any more first", rec.Name, n))
	}
	is.Cluster, is.Project, is.RegisteredAt, is.Token, is.Replaced = t.Cluster, rec.Project, w.now, t.ID, ""
	noteInto(AgentNote{Version: r.Version, OS: r.OS, Arch: r.Arch, Hostname: r.Hostname}, &is)
	if node := clip(r.Node, maxAgentText); node != "" && node != is.Node {
		// A node whose agent may be alive stays that one's: which of them is right
		// shows when this one connects.
		if err := m.takeNode(w, rec.Project, &is, others, node); err != nil && CodeOf(err) != CodeConflict && CodeOf(err) != CodeUnavailable {
			return is, "", err
		}
	}
	t.Uses++
	var before any
	if known && left == "" {
		before = auditedAgent(was)
	}
	w.note(string(is.ID), rec.Project, before, auditedAgent(is))
	if err := errors.Join(Put(w.Tx, is, AnyVersion), Put(w.Tx, t, AnyVersion)); err != nil {
		return is, "", err
	}
	return is, left, m.awaitReports(w, rec, is)
}

// awaitReports lets a cluster that has no agent, or whose agents were not as they
// should be, wait for the first complete report of one that has registered.
func (m *Manager) awaitReports(w *work, rec ClusterRecord, is AgentRecord) error {
	if rec.Deleting {
		return nil
	}
	st := &rec.Status
	deadline := w.now.Add(m.timings.Register)
	switch st.State {
	case Created, Abnormal:
		st.State, st.Since, st.Deadline = Registering, w.now, deadline
		st.Reason, st.Message = ReasonInProgress, "the agent "+is.name()+" has registered; its first complete report is awaited"
	case Registering:
		st.Deadline = deadline
	default:
		return nil
	}
	st.StaleFrom = time.Time{} // somebody was heard
	return putHops(w.Tx, []ClusterRecord{rec})
}

// takeNode gives an agent the node that it says to be beside. From an agent that
// is away it is taken over, which is audited; one that is connected keeps it, and
// the error is a conflict; unavailable where it may yet come back, because the
// program has only just begun to hear agents.
func (m *Manager) takeNode(w *work, project string, is *AgentRecord, others []AgentRecord, node string) error {
	obs := m.observe(is.Cluster)
	for _, other := range others {
		if other.ID == is.ID || other.Node != node {
			continue
		}
		seen, heard := obs.of(other.ID)
		if seen.Connected {
			return fail(CodeConflict, "", fmt.Sprintf("the node %s is that of the agent %s, which is connected from %s; two hosts use the same node name, or two agents run beside one node", node, other.name(), seen.Remote))
		}
		if !heard && obs.Unheard == "" && m.link != nil && w.now.Before(obs.Since.Add(m.timings.AgentReturn)) {
			return fail(CodeUnavailable, "", fmt.Sprintf("the node %s is that of the agent %s, which may be about to connect again", node, other.name()))
		}
		was := other
		other.Node, other.Replaced = "", is.ID
		w.noteAs("take over node", string(other.ID), project, auditedAgent(was), auditedAgent(other))
		if err := Put(w.Tx, other, AnyVersion); err != nil {
			return err
		}
	}
	is.Node, is.Replaced = node, ""
	return nil
}

// leaveTx removes an agent from its cluster: its key is worth nothing from then
// on. A cluster that has no agent any more is as it was when it was created.
func (m *Manager) leaveTx(w *work, a AgentRecord, action string) error {
	rec, _, err := loadTx(w.Tx, a.Cluster)
	if err != nil {
		return err
	}
	w.noteAs(action, string(a.ID), rec.Project, auditedAgent(a), nil)
	if err := w.Delete(KindAgent, string(a.ID)); err != nil {
		return err
	}
	rest, err := childrenIn[AgentRecord](w.Tx, a.Cluster)
	if err != nil || len(rest) > 0 || rec.Deleting {
		return err
	}
	return putHops(w.Tx, advanceAdopted(m.timings, w.now, rec, nil, nil, m.adoptedLook(rec.ID), deed{}).hops)
}

// AgentKey returns an agent that may connect, with its key; not found where it
// never registered or was removed. No actor is needed: the key is the right.
func (m *Manager) AgentKey(ctx context.Context, agent AgentID) (a AgentRecord, err error) {
	op := "read key of agent " + clip(string(agent), maxAgentText)
	err = m.store.Read(ctx, func(tx Tx) error { a, _, err = Get[AgentRecord](tx, string(agent)); return err })
	if errors.Is(err, ErrNotFound) {
		return AgentRecord{}, &Error{Code: CodeNotFound, Op: op, Message: "no such agent is registered here: it was removed, or registered with another server; register it anew with a token from the cluster's guide"}
	}
	if err != nil {
		return AgentRecord{}, explain(op, err, "", "")
	}
	return a, nil
}

// UnregisterAgent forgets an agent at its own request, which the caller has seen
// proved. Where it was the last one its cluster is created again.
func (m *Manager) UnregisterAgent(ctx context.Context, agent AgentID) error {
	a, err := m.AgentKey(ctx, agent)
	if err != nil {
		return err
	}
	q := request{op: "unregister agent " + string(agent), action: "unregister", kind: KindAgent, key: string(agent)}
	err = m.byItself(ctx, q, func(w *work) error {
		w.actor = Actor{Name: agentActor + string(agent)}
		if a, _, err = Get[AgentRecord](w.Tx, string(agent)); err != nil {
			return err
		}
		return m.leaveTx(w, a, q.action)
	})
	if err != nil {
		return err
	}
	m.drop(a.Cluster, agent)
	m.queue.add(a.Cluster)
	return nil
}

// byItself carries out a change that no person asks for, in one transaction with
// its audit. fn says who acts, and may run again.
func (m *Manager) byItself(ctx context.Context, q request, fn func(*work) error) error {
	err := m.store.Write(ctx, func(tx Tx) error {
		w := &work{Tx: tx, now: m.now().UTC(), asked: &q}
		if err := fn(w); err != nil {
			return err
		}
		return w.writeNotes(ctx, q)
	})
	if err != nil {
		return explain(q.op, err, "", "")
	}
	return nil
}

// drop closes connections of agents whose records are gone.
func (m *Manager) drop(id ID, agents ...AgentID) {
	if m.link != nil {
		m.link.Drop(id, agents...)
	}
}

// observe returns what is known of a cluster's agents.
func (m *Manager) observe(id ID) AgentsObservation {
	if m.link == nil {
		return AgentsObservation{Unheard: "this program takes no connections of agents"}
	}
	return m.link.Observe(id)
}

// auditedAgent is what the audit tells of an agent.
func auditedAgent(a AgentRecord) any {
	return struct {
		Cluster  ID      `json:"cluster"`
		Node     string  `json:"node,omitempty"`
		Hostname string  `json:"hostname,omitempty"`
		Version  string  `json:"version,omitempty"`
		Came     string  `json:"registration,omitempty"`
		Replaced AgentID `json:"replaced,omitempty"`
	}{a.Cluster, a.Node, a.Hostname, a.Version, a.Token, a.Replaced}
}

// maxAgentText is the longest text that an agent may tell of itself, in bytes.
const maxAgentText = 255

// noteInto puts what a note says into a record, and reports whether that changed it.
func noteInto(n AgentNote, a *AgentRecord) (changed bool) {
	for _, f := range []struct {
		field *string
		is    string
	}{{&a.Version, n.Version}, {&a.OS, n.OS}, {&a.Arch, n.Arch}, {&a.Hostname, n.Hostname}} {
		if is := clip(f.is, maxAgentText); is != "" && is != *f.field {
			*f.field, changed = is, true
		}
	}
	if n.Seen.After(a.LastSeen) {
		a.LastSeen, changed = n.Seen.UTC(), true
	}
	return changed
}

// clip makes text from outside fit to be stored and shown: one line, no control
// characters, at most n bytes.
func clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return strings.TrimSpace(s)
}

// removeAgents takes the keys and registration tokens of a cluster away, so that
// nobody connects or registers any more.
func removeAgents(tx Tx, id ID) error {
	agents, err := childrenIn[AgentRecord](tx, id)
	if err != nil {
		return err
	}
	tokens, err := childrenIn[RegistrationToken](tx, id)
	if err != nil {
		return err
	}
	for _, a := range agents {
		err = errors.Join(err, tx.Delete(KindAgent, string(a.ID)))
	}
	for _, t := range tokens {
		err = errors.Join(err, tx.Delete(KindRegistrationToken, t.Hash))
	}
	return err
}

// sortAgents orders agents by the node and host that people know them by.
func sortAgents(all []AgentInfo) {
	slices.SortFunc(all, func(a, b AgentInfo) int {
		return strings.Compare(a.Node+"\x00"+a.Hostname+"\x00"+string(a.ID), b.Node+"\x00"+b.Hostname+"\x00"+string(b.ID))
	})
}
