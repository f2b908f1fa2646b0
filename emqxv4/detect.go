package emqxv4

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// realm is the realm of the management API, on both of its ports.
const realm = "minirest-server"

// detect detects what answers: with credentials by describing it, without credentials by
// the way it asks for them, which only tells the major.
func (b *broker) detect(ctx context.Context, login bool) (ecp.Detection, error) {
	if !login {
		return b.probe(ctx)
	}
	d, err := emqxhttp.Hedged(ctx, b.describe, b.describeSelf)
	switch {
	case ecp.CodeOf(err) == ecp.CodeUnsupported:
		return ecp.Detection{}, err
	case err != nil: // the broker's own failure, or another server's
		found, knockErr := b.probe(ctx)
		if ecp.CodeOf(knockErr) == ecp.CodeUnsupported {
			err = knockErr
		}
		return found, err
	}
	found := ecp.Detection{Major: 4, Version: emqxhttp.LowestRunning(d), Edition: d.Edition, Authenticated: true}
	if !managed.Met(found.Version, found.Edition) {
		return found, b.client.NeedError("", found.Version, found.Edition, managed)
	}
	return found, nil
}

// probe queries the members without credentials.
func (b *broker) probe(ctx context.Context) (ecp.Detection, error) {
	a, err := b.client.Do(ctx, emqxhttp.Request{Path: nodesPath, NoAuth: true})
	switch {
	case err != nil:
		return ecp.Detection{}, err
	case a.Status == http.StatusUnauthorized && (a.Realm == realm || a.Realm == "" && string(a.Body) == "UNAUTHORIZED"):
		return ecp.Detection{Major: 4}, nil
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return ecp.Detection{}, b.client.Fail(ecp.CodeUnsupported,
			"another server asks for credentials there, perhaps a proxy", nil)
	case a.Status/100 == 5, a.Status/100 == 3, a.Status == http.StatusTooManyRequests:
		return ecp.Detection{}, b.refused(a)
	}
	return ecp.Detection{}, b.client.Fail(ecp.CodeUnsupported, "found no EMQX 4; needed "+managed.String(), nil)
}

// describeSelf describes only the node that answers. No more can be known while a member
// hangs and the caller does not name the others.
func (b *broker) describeSelf(ctx context.Context) (ecp.Description, error) {
	name, err := b.self(ctx)
	if err == nil && name == "" {
		err = errNotSelf
	}
	if err != nil {
		return ecp.Description{}, err
	}
	m := b.queryMembers(ctx, []string{name})[0]
	if m.Err == nil && m.Value.Version == "" { // another major has no such call
		m.Err = errNotSelf
	}
	if m.Err != nil {
		return ecp.Description{}, m.Err
	}
	d := ecp.Description{Nodes: []ecp.BrokerNode{m.Value.node(counters{})}, Version: m.Value.Version}
	b.client.Optional(ctx, "its license", func(ctx context.Context) (err error) {
		d.Edition, d.Limit, err = b.edition(ctx)
		return err
	})
	return d, b.client.CallerGone(ctx)
}
