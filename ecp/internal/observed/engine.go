package observed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// Memory is what the engine keeps of a cluster between passes; losing it costs
// nothing but a look.
type Memory struct {
	Snapshot       derive.Snapshot
	ObservedAt     time.Time        // of the last look that saw anything
	Mark           derive.ClockMark // of the last one that was stored
	AskedAt        time.Time        // when EMQX was last asked; as all below by the monotonic clock
	AskedPods      string           // which pods were ready then
	Brokers        []ecp.Description
	Settings       SettingsCheck          // when settings were last compared
	MQTTProbe      chan derive.MQTTResult // where a client that knocks will tell; nil = none does
	CountedAt      time.Time              // when Silent or Missing last grew
	Known          bool                   // Apply has succeeded in this process
	OlderLogged    bool                   // it is in the log that the record is older than what is found
	Derived        bool                   // a look that saw something was judged and stored
	Wait           time.Duration          // back-off after a failed Apply or Delete
	RetryAt        time.Time
	FailedRevision int64         // revision that failed: another one does not wait
	AskInterval    time.Duration // between looks at EMQX while it is waited for
	Target         string        // that the cluster is on; guarded by Manager.mu, as slow
	Slow           bool          // the last pass was held up

	Agents       derive.AgentMemory   // of an adopted cluster; guarded by Manager.mu
	faltered     map[string]time.Time // when nodes of an adopted cluster gave no answer to a question; guarded by Manager.mu
	DryRun       DryRun               // the last that was made
	ExitMessages map[int]ExitMessage  // of nodes that did not start, by ordinal
}

func (m *Clusters) MemoryOf(id ecp.ID) *Memory {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	mem := m.Memories[id]
	if mem == nil {
		mem = &Memory{}
		m.Memories[id] = mem
	}
	return mem
}

func (m *Clusters) Forget(id ecp.ID) {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	delete(m.Memories, id)
	delete(m.Changed, id)
	delete(m.Relicensed, id)
}

// Load reads a cluster and its running operation.
func (m *Clusters) Load(ctx context.Context, id ecp.ID) (rec ecp.ClusterRecord, op *ecp.Operation, err error) {
	err = m.Store.Read(ctx, func(tx ecp.Tx) error {
		rec, op, err = LoadTx(tx, id)
		return err
	})
	return rec, op, err
}

func LoadTx(tx ecp.Tx, id ecp.ID) (ecp.ClusterRecord, *ecp.Operation, error) {
	rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(id))
	if err != nil || rec.Status.Operation == "" {
		return rec, nil, err
	}
	op, _, err := ecp.Get[ecp.Operation](tx, string(rec.Status.Operation))
	if errors.Is(err, ecp.ErrNotFound) { // a cluster must not be lost with the record of its operation
		rec.Status.Operation = ""
		return rec, nil, nil
	}
	if err != nil {
		return rec, nil, fmt.Errorf("read operation %s: %w", rec.Status.Operation, err)
	}
	return rec, &op, nil
}

// AddSecrets opens what a cluster was given of registries and licenses.
func (m *Clusters) AddSecrets(ctx context.Context, rec ecp.ClusterRecord, d *ecp.Desired) error {
	var err error
	if d.Spec.Config, err = m.OpenSettings(rec.ID, d.Spec.Config); err != nil {
		return err
	}
	if rec.Resolved.Registry == "" && rec.Resolved.License == "" {
		return nil
	}
	return m.Store.Read(ctx, func(tx ecp.Tx) error {
		r, _, err := ecp.Get[ecp.Registry](tx, rec.Resolved.Registry)
		if err == nil {
			d.Pull = ecp.PullCredentials{Host: r.Host, User: r.User}
			d.Pull.Password, err = m.Catalog.Registries.Secret(tx, r.Name)
		}
		if err != nil && !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		if rec.Resolved.License == "" {
			return nil
		}
		d.License, err = m.Catalog.Licenses.Secret(tx, rec.Resolved.License)
		return err
	})
}
