package observed

import (
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// Memory is what the Manager keeps of a cluster between two reconciliations. Losing it
// costs one more observation. Its fields belong to the worker that has the cluster; those
// that others read are written through methods of [Clusters] only. All times but ObservedAt
// are of the monotonic clock.
type Memory struct {
	Snapshot     derive.Snapshot        // written by Remember
	ObservedAt   time.Time              // when Snapshot saw something last; written by Remember
	Mark         derive.ClockMark       // of the last observation that was stored
	AskedAt      time.Time              // when EMQX was last asked
	AskedPods    string                 // which pods were ready then
	Brokers      []ecp.Description      // what EMQX said; written by RememberBrokers
	Settings     SettingsCheck          // when settings were last compared
	Certificate  CertificateCheck       // of the certificate that nodes serve
	ToldAt       time.Time              // when EMQX was last told settings
	LimitsAt     time.Time              // when EMQX was last asked for its connection limits
	MQTTProbe    chan derive.MQTTResult // of the probe that is under way; nil means none is
	CountedAt    time.Time              // when Unanswered or MissingMembers last grew
	Known        bool                   // Apply has succeeded in this process
	OlderLogged  bool                   // the log says that the record is older than what is found
	Derived      bool                   // an observation that saw something was stored
	Backoff      sched.Backoff          // after a failed Apply or Delete
	AskInterval  time.Duration          // between questions to EMQX while it is waited for
	DryRun       DryRun                 // the last one
	ExitMessages map[string]ExitMessage // of nodes that did not start, by pod
	Epoch        int64                  // of the ownership that the rest belongs to; 0 where nobody shares the Store
	repaired     repaired               // by the last repair

	agents   adopted.AgentMemory  // of an adopted cluster; guarded by Clusters.mu, as all below
	faltered map[string]time.Time // when nodes of an adopted cluster last left a question unanswered
	flow     sched.Flow           // that the cluster waits in
}

// repaired are the nodes that a repair has replaced.
type repaired struct {
	by   ecp.OperationID
	pods map[string]bool
}

// RepairedBy returns the pods of the nodes that an operation has replaced in order to
// repair them, for the caller to add to: each is, once.
func (mem *Memory) RepairedBy(op ecp.OperationID) map[string]bool {
	if mem.repaired.pods == nil || mem.repaired.by != op {
		mem.repaired = repaired{by: op, pods: map[string]bool{}}
	}
	return mem.repaired.pods
}

// TakeOver forgets what belongs to an earlier ownership of the cluster: another program
// has worked on it since. What was observed stays.
func (mem *Memory) TakeOver(epoch int64) {
	mem.Epoch = epoch
	mem.Known, mem.Derived, mem.OlderLogged, mem.Mark = false, false, false, derive.ClockMark{}
	mem.Backoff, mem.AskInterval, mem.DryRun, mem.repaired = sched.Backoff{}, 0, DryRun{}, repaired{}
	mem.ToldAt, mem.LimitsAt = time.Time{}, time.Time{}
}

// DryRun is the last answer to whether a node's successor would be taken.
type DryRun struct {
	Of  string // which node, of which generation
	At  time.Time
	Why string // why it would be refused; empty means that it would be taken
}

// SettingsCheck is when settings were last compared, and for what.
type SettingsCheck struct {
	At   time.Time // by the monotonic clock
	Pods string
	Rev  int64
}

// CertificateCheck is when the certificate of a cluster was last looked up, and its nodes were asked for it. Times are
// of the monotonic clock.
type CertificateCheck struct {
	At, Due time.Time                       // when the catalog was last asked, and when the nodes are asked next
	Of      string                          // fingerprint of the certificate for which Due is
	Probe   chan []derive.ServedCertificate // of the round over the nodes that is under way; nil means none is
	ProbeOf string                          // the certificate that it is for
}

// ExitMessage is what a process said before it ended.
type ExitMessage struct {
	Of   string // the pod and its restarts
	Text string // empty means that nothing says why
}

// MemoryOf returns the memory of a cluster, a new one where there is none.
func (m *Clusters) MemoryOf(id ecp.ID) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.memoryLocked(id)
}

func (m *Clusters) memoryLocked(id ecp.ID) *Memory {
	mem := m.memories[id]
	if mem == nil {
		mem = &Memory{}
		m.memories[id] = mem
	}
	return mem
}

// Forget drops everything that is remembered of a cluster.
func (m *Clusters) Forget(id ecp.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.memories, id)
	delete(m.secretsChanged, id)
	delete(m.licenseChanged, id)
}

// ForgetObservations drops what was observed of all clusters.
func (m *Clusters) ForgetObservations() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.memories)
}

// Remember keeps a snapshot as the last one. Of one that saw nothing only that is kept:
// what was seen before is the best there is.
func (m *Clusters) Remember(mem *Memory, snap derive.Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if snap.Unseen != "" {
		mem.Snapshot.Unseen, mem.Snapshot.At = snap.Unseen, snap.At
		return
	}
	mem.Snapshot, mem.ObservedAt = snap, snap.At
}

// RememberBrokers keeps what nodes said of themselves, where any did, and when they were
// asked.
func (m *Clusters) RememberBrokers(mem *Memory, asked time.Time, pods string, said []ecp.Description) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem.AskedAt, mem.AskedPods = asked, pods
	if len(said) > 0 {
		mem.Brokers = said
	}
}

// Last returns the last snapshot of a hosted cluster, and false where nobody has observed
// it since the process began. It must not be changed.
func (m *Clusters) Last(id ecp.ID) (derive.Snapshot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.memories[id]; mem != nil {
		return mem.Snapshot, true
	}
	return derive.Snapshot{}, false
}

// Found returns what was last found of a cluster, and false where nothing can be seen or
// nobody has observed it yet.
func (m *Clusters) Found(id ecp.ID) (ecp.Observation, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.memories[id]
	if mem == nil || mem.ObservedAt.IsZero() || mem.Snapshot.Unseen != "" {
		return ecp.Observation{}, false
	}
	return mem.Snapshot.Found, true
}

// Outdated returns the ordinals of a cluster's outdated nodes of a role, as last seen.
func (m *Clusters) Outdated(id ecp.ID, role ecp.NodeRole) (ordinals []int) {
	snap, _ := m.Last(id)
	for _, n := range derive.OfRole(derive.OutdatedOf(snap.Found), role) {
		ordinals = append(ordinals, n.Ordinal)
	}
	return ordinals
}

// ForeignMembers counts members of EMQX that are no nodes, of all clusters.
func (m *Clusters) ForeignMembers() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mem := range m.memories {
		n += len(mem.Snapshot.ForeignMembers)
	}
	return n
}

// Contested counts the objects that somebody else writes, too, by who that is.
func (m *Clusters) Contested() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]int{}
	for _, mem := range m.memories {
		for _, c := range mem.Snapshot.Found.Contested {
			out[c.Manager]++
		}
	}
	return out
}

// Flow returns the flow that a cluster waits for a worker in.
func (m *Clusters) Flow(id ecp.ID) sched.Flow {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.memories[id]; mem != nil {
		return mem.flow
	}
	return sched.Flow{}
}

// SetTarget notes which target a cluster is on.
func (m *Clusters) SetTarget(mem *Memory, target string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem.flow.Target = target
}

// SetSlow notes whether the last reconciliation of a cluster was held up.
func (m *Clusters) SetSlow(id ecp.ID, slow bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.memories[id]; mem != nil {
		mem.flow.Slow = slow
	}
}

// SecretsChanged notes clusters that are to be applied because of their secrets.
func (m *Clusters) SecretsChanged(ids []ecp.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		m.secretsChanged[id] = true
	}
}

// TakeSecretsChanged reports whether a cluster is to be applied because of its secrets,
// and forgets it.
func (m *Clusters) TakeSecretsChanged(id ecp.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.secretsChanged[id]
	delete(m.secretsChanged, id)
	return was
}

// LicenseChanged notes clusters whose EMQX is to be given a new license.
func (m *Clusters) LicenseChanged(ids []ecp.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		m.licenseChanged[id] = true
	}
}

// LicenseDue reports whether a cluster's EMQX is to be given a new license.
func (m *Clusters) LicenseDue(id ecp.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.licenseChanged[id]
}

// LicenseGiven notes that a cluster's EMQX has answered for its new license.
func (m *Clusters) LicenseGiven(id ecp.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.licenseChanged, id)
}
