package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/targets"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// How identities are looked after.
const (
	identityRetry = 2 * time.Second // while it is not known, or another one
	identityEvery = time.Minute     // afterwards: a kubeconfig or an address may lead elsewhere by then
)

// strange returns how this program stands to a platform that is not known to be
// the right one: it does not write there, nor believe what it sees; nil if it is
// known to be, or cannot be told apart.
func (m *Manager) strange(target string, p ecp.Provisioner) *ecp.Lease {
	if _, ok := p.(ecp.Identified); !ok || !m.running.Load() {
		return nil
	}
	is, known := m.identities.Get(target)
	if known && is.Why == "" {
		return nil
	}
	return &ecp.Lease{Message: is.Why, OtherPlatform: is.Other}
}

// identify asks a platform who it is, and compares that with the record, which is
// made where there is none. The error says why it is not worked with.
func (m *Manager) identify(ctx context.Context, target string, p ecp.Identified) (targets.Identity, error) {
	ask, cancel := context.WithTimeout(ctx, healthTakes)
	defer cancel()
	found, err := p.Identity(ask)
	if errors.Is(err, ecp.ErrUnsupported) {
		m.observed.Log.WarnContext(
			ctx, "a platform cannot be told from others; it is taken for the one the clusters are on", "target", target,
			ecp.ErrorAttr(err),
		)
		return targets.Identity{}, nil
	}
	if err != nil {
		return targets.Identity{
			Why: "it is not known yet whether this is the platform that the clusters are on: " + ecp.MessageOf(err),
		}, err
	}
	known, err := m.platformOf(ctx, target, found)
	if err != nil {
		return targets.Identity{
			Found: found,
			Why:   "it could not be read which platform the clusters are on: " + ecp.MessageOf(err),
		}, err
	}
	if known.Identity == found {
		return targets.Identity{Found: found}, nil
	}
	err = otherPlatform(known, found)
	return targets.Identity{Found: found, Why: ecp.MessageOf(err), Other: true}, err
}

// platformOf returns the record of a target's platform. The one that is found is
// recorded where there is none, or where no cluster could be missed on it.
func (m *Manager) platformOf(ctx context.Context, target, found string) (known ecp.Platform, err error) {
	read := func(tx ecp.Tx) (err error) {
		known, _, err = ecp.Get[ecp.Platform](tx, target)
		return err
	}
	err = m.observed.Store.Read(ctx, read)
	if err == nil && known.Identity == found || err != nil && !errors.Is(err, ecp.ErrNotFound) {
		return known, err
	}
	err = m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		if err := read(tx); err != nil && !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		on := func(r ecp.ClusterRecord) bool { return r.Spec.Hosted != nil && r.Spec.Hosted.Target == target }
		if used, err := catalog.ClustersThat(tx, on); err != nil || known.Identity != "" && used.Count > 0 {
			return err
		}
		known = ecp.Platform{Target: target, Identity: found, Since: m.observed.Now().UTC()}
		return ecp.Put(tx, known, ecp.AnyVersion)
	})
	return known, err
}

// otherPlatform says that a target leads to another platform than recorded.
func otherPlatform(known ecp.Platform, found string) error {
	return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf(
		"the target %s leads to another platform (%s) than the one that the clusters were made on "+
			"(%s, known since %s); lead it there again, or, if that one was moved or rebuilt and this one takes its "+
			"place, say so: its clusters are then looked for here",
		known.Target, found, known.Identity, known.Since.UTC().Format(time.RFC3339)))
}

// recognize waits until a platform is known to be the right one, or cannot be
// told apart, and then looks again from time to time until ctx ends. first is
// called once, when it is known; clusters are woken whenever that changes.
func (m *Manager) recognize(ctx context.Context, target string, p ecp.Provisioner, first func()) {
	who, ok := p.(ecp.Identified)
	if !ok {
		first()
		<-ctx.Done()
		return
	}
	defer m.identities.Forget(target)
	first = sync.OnceFunc(first)
	for ctx.Err() == nil {
		is, err := m.identify(ctx, target, who)
		if ctx.Err() != nil {
			return
		}
		if was, known := m.identities.Get(target); err != nil && known && was.Why == "" && !is.Other {
			is = was // it was the right one a moment ago, and is only not seen now
		}
		if m.identities.Observed(target, is) {
			m.tellIdentity(ctx, target, is)
		}
		wait := identityEvery
		if is.Why == "" {
			first()
		} else {
			wait = identityRetry
		}
		sleep(ctx, wait)
	}
}

func (m *Manager) tellIdentity(ctx context.Context, target string, is targets.Identity) {
	if is.Why != "" {
		m.observed.Log.WarnContext(ctx, "nothing is written to a target, and nothing believed of it", "target", target,
			"reason", is.Why)
	}
	if err := m.wakeTarget(ctx, target); err != nil && ctx.Err() == nil {
		m.observed.Log.WarnContext(ctx, "clusters of a target could not be woken", "target", target, "error", err)
	}
}

// CheckPlatforms asks the platforms that the program itself was given whether they
// are the ones that their clusters were made on, and returns a conflict for one
// that is another. One that does not answer is no error: Run asks it again. It
// is for whoever runs the program, before Run: it needs no actor.
func (m *Manager) CheckPlatforms(ctx context.Context) error {
	for _, target := range slices.Sorted(maps.Keys(m.observed.Provisioners)) {
		p, ok := m.observed.Provisioners[target].(ecp.Identified)
		if !ok {
			continue
		}
		is, err := m.identify(ctx, target, p)
		if is.Found != "" {
			m.identities.Observed(target, is)
		}
		if is.Other {
			return err
		}
	}
	return nil
}

// AcceptPlatform says that the clusters of a target are on the platform with this
// identity from now on: it was moved or rebuilt. Where the platform was seen, it has
// to have that identity. What is not there is then lost for the Manager: each
// cluster says so, and is repaired or deleted as somebody decides.
func (m *Manager) AcceptPlatform(ctx context.Context, target, identity string) (ecp.Platform, error) {
	q := change.Request{
		Op:     "accept the platform of target " + target,
		Action: "update",
		Kind:   ecp.KindPlatform,
		Key:    target,
		Asked:  identity,
	}
	return change.Submit(ctx, m.Changes, q, func(w *change.Tx) (ecp.Platform, error) {
		next := ecp.Platform{Target: target, Identity: identity, Since: w.Now}
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return next, err
		}
		var wrong fault.Fields
		if strings.TrimSpace(identity) == "" || len(identity) > ecp.MaxName {
			wrong.Add("identity", "is not of 1 to %d characters", ecp.MaxName)
		} else if is, _ := m.identities.Get(target); is.Found != "" && is.Found != identity {
			wrong.Add("identity", "is not that of the platform which the target leads to: %s", is.Found)
		}
		if m.observed.Provisioners[target] == nil {
			if _, _, err := ecp.Get[ecp.Target](w.Tx, target); errors.Is(err, ecp.ErrNotFound) {
				return next, fault.NotFound("Kubernetes target", target, err)
			} else if err != nil {
				return next, err
			}
		}
		if err := wrong.Err(""); err != nil {
			return next, err
		}
		old, _, err := ecp.Get[ecp.Platform](w.Tx, target)
		if err != nil && !errors.Is(err, ecp.ErrNotFound) {
			return next, err
		}
		if old.Identity == identity {
			return old, nil
		}
		w.Note(target, "", old, next)
		return next, ecp.Put(w.Tx, next, ecp.AnyVersion)
	})
}
