package brokers

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// limitsPatience bounds a question for the limits while clients are not served: where a node
// hangs that is found out soon.
const limitsPatience = 2 * time.Second

// limitsEvery is how often EMQX is asked for its connection limits where nothing has
// changed: somebody may have set others there.
const limitsEvery = time.Minute

// KeepLimits lets EMQX say which connection limits it keeps to, where that is due, and sets
// those that differ from what is booked. It starts from what EMQX says, whatever was set
// before: a node that comes back or is new gets its share in the same way.
func (m *Brokers) KeepLimits(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory,
	snap *derive.Snapshot) {
	v := derive.NewView(snap.At, rec, *snap)
	target, managed := v.ConnectionTarget()
	if ctx.Err() != nil || snap.Unseen != "" || snap.NotHeld != "" || snap.NoAdapter || len(snap.Views) == 0 ||
		!managed && !v.Agreed() {
		return
	}
	now, was := derive.BrokerLimits{Of: v.LimitsOf()}, snap.Limits
	same := was != nil && was.Of == now.Of
	if same && snap.Tick.Sub(mem.LimitsAt) < m.limitsAgain(*was, *snap) {
		return
	}
	changes, err := m.readLimits(ctx, p, v, target, &now)
	if !managed {
		changes = nil
	}
	for _, c := range changes {
		if err = m.setLimit(ctx, p, v, c); err != nil {
			now.Refused = observed.IsFinal(err)
			break
		}
		says := "connection limit set"
		if same && was.Done {
			says = "somebody had set another connection limit at EMQX; the booked one is set again"
		}
		m.observed.Log.InfoContext(ctx, says, "cluster", rec.ID, "limit", c.String())
	}
	if err == nil && len(changes) > 0 {
		changes, err = m.readLimits(ctx, p, v, target, &now)
	}
	if ctx.Err() != nil {
		return
	}
	mem.LimitsAt = snap.Tick
	switch {
	case err != nil:
		now.Why = "EMQX does not take its connection limit: " + observed.ReasonOf(err)
		if now.Nodes == nil && was != nil { // what it said last is the best there is
			now.License, now.Nodes, now.Full = was.License, was.Nodes, was.Full
		}
		if !same || was.Why != now.Why {
			m.observed.Log.WarnContext(ctx, "connection limit not set", "cluster", rec.ID, ecp.ErrorAttr(err))
		}
	case len(changes) > 0:
		now.Why = "EMQX has taken its connection limit and does not keep to it yet: " + changes[0].String()
	default:
		now.Done = true
	}
	snap.Limits = &now
}

// limitsAgain returns how long after an answer EMQX is asked again: soon where clients are not
// served, perhaps because no listener has room.
func (m *Brokers) limitsAgain(was derive.BrokerLimits, snap derive.Snapshot) time.Duration {
	switch {
	case snap.MQTT.Unserved == 0 && (was.Done || was.Refused):
		return limitsEvery
	}
	return m.observed.Timings.Poll
}

// readLimits asks EMQX which limits it keeps to, and returns what has to be changed. EMQX
// that has none to tell of keeps to none from here. Only the likeliest node is asked: while
// a member hangs none may tell, and nothing waits for the answer.
func (m *Brokers) readLimits(ctx context.Context, p ecp.Provisioner, v derive.View, target derive.ConnectionTarget,
	into *derive.BrokerLimits) (changes []derive.LimitChange, err error) {
	if v.Snapshot.MQTT.Unserved > 0 {
		bounded, cancel := context.WithTimeout(ctx, limitsPatience)
		defer cancel()
		ctx = bounded
	}
	ready := v.Reached()
	v.Ready = byAnswer(v.Ready, v.Snapshot.Views)[:1]
	err = m.ThroughOther(ctx, p, v, "", func(ctx context.Context, b ecp.Broker) error {
		var license ecp.ConnectionLimit
		if l, ok := b.(ecp.ConnectionLimiter); ok {
			if license, err = l.ConnectionLimit(ctx); err != nil && !observed.IsFinal(err) {
				return err
			}
		}
		l, ok := b.(ecp.ListenerManager)
		if !ok {
			return nil
		}
		listeners, err := l.Listeners(ctx)
		if err != nil {
			return err
		}
		for _, one := range listeners {
			for _, n := range one.Nodes {
				if n.Error != "" {
					return ecp.NewError(ecp.CodeUnavailable, "", n.Node+" does not tell its limits: "+n.Error)
				}
			}
		}
		into.Record(license, listeners, ready)
		changes = derive.LimitChanges(target, license, listeners, v.Rec.Spec.Hosted.Config)
		return nil
	})
	return changes, err
}

// setLimit sets one limit, of the license or of a listener.
func (m *Brokers) setLimit(ctx context.Context, p ecp.Provisioner, v derive.View, c derive.LimitChange) error {
	return m.ThroughOther(ctx, p, v, "", func(ctx context.Context, b ecp.Broker) error {
		if c.Listener == "" {
			_, err := b.(ecp.ConnectionLimiter).SetConnectionLimit(ctx, c.Limit)
			return err
		}
		err := b.(ecp.ListenerManager).SetListenerLimit(ctx, c.Listener, c.Limit)
		if errors.Is(err, ecp.ErrNotFound) { // it was removed since it was listed
			return nil
		}
		return err
	})
}
