package emqxv4

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

const (
	invitePatience = 6                      // times the time limit of other calls, since the node restarts
	inviteInterval = 500 * time.Millisecond // between queries whether it has joined
	maxFailures    = 3                      // consecutive queries that may fail
)

// InviteMember invites a node and waits until it is listed as running.
func (b *broker) InviteMember(ctx context.Context, node string) error {
	ctx, cancel := b.client.BoundBy(ctx, invitePatience)
	defer cancel()
	if node == "" {
		return noNode("invite member")
	}
	if joined, err := b.runs(ctx, node); joined || err != nil {
		return err
	}
	err := b.do(ctx, call{
		requires: inviting, alreadyDone: memberAlready, refusalMeaning: "make sure that " + node +
			" runs, has the same cookie and can be reached from the node that was asked",
		Request: emqxhttp.Request{Method: http.MethodPost, Path: invitePath, Body: map[string]string{"node": node}},
	})
	if err != nil {
		if joined, askErr := b.runs(ctx, node); joined && askErr == nil {
			return nil
		}
		return err
	}
	return b.joined(ctx, node)
}

// joined waits until a node is listed. Queries may fail meanwhile, since the members are
// just connecting to each other.
func (b *broker) joined(ctx context.Context, node string) error {
	tick := time.NewTicker(inviteInterval)
	defer tick.Stop()
	for misses := 0; ; {
		joined, err := b.runs(ctx, node)
		if misses++; err == nil {
			misses = 0
		}
		switch {
		case joined && err == nil:
			return nil
		case ctx.Err() != nil:
			return b.client.Fail(ecp.CodeUnavailable, "it invited "+node+", which has not joined in time; its "+
				"log says why",
				errors.Join(ctx.Err(), err))
		case misses == maxFailures, err != nil && ecp.CodeOf(err) != ecp.CodeUnavailable:
			return err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// runs reports whether a node is a running member.
func (b *broker) runs(ctx context.Context, node string) (bool, error) {
	members, err := b.members(ctx)
	return slices.ContainsFunc(members, func(m member) bool {
		status, _ := emqxhttp.Status(m.Status, string(m.Error))
		return m.name() == node && status == ecp.NodeRunning
	}), err
}

// RemoveMember removes a member that does not run. The broker answers for an unknown node
// as for an unknown call; such a node is not a member, so the call succeeds.
func (b *broker) RemoveMember(ctx context.Context, node string) error {
	ctx, cancel := b.client.BoundBy(ctx, 2)
	defer cancel()
	if node == "" {
		return noNode("remove member")
	}
	if err := b.removable(ctx, node); err != nil {
		return err
	}
	err := b.do(ctx, call{
		requires: removing, node: node, alreadyDone: memberNot,
		Request: emqxhttp.Request{Method: http.MethodDelete, Path: forceLeavePath + emqxhttp.Segment(node)},
	})
	if !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	listed, err := query(ctx, b, get(listPath, always), decodeCalls)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(listed, func(l listedCall) bool {
		return l.Method == http.MethodDelete &&
			l.below(forceLeavePath)
	}) {
		return b.client.Fail(ecp.CodeUnsupported, "it has no "+removing.what+"; "+removing.instead, nil)
	}
	return nil
}

// removable returns an error for a node that must stay a member. The name of the answering
// node is known if the port has the call for it, or if there is only one member.
func (b *broker) removable(ctx context.Context, node string) error {
	members, err := b.members(ctx)
	if err != nil {
		return err
	}
	nodes := make([]ecp.BrokerNode, len(members))
	for i, m := range members {
		nodes[i] = m.node(counters{})
	}
	return b.client.CheckRemovable(ctx, nodes, node, func(ctx context.Context) (string, error) {
		if len(nodes) == 1 {
			return nodes[0].Name, nil
		}
		return b.self(ctx)
	})
}

// noNode returns the error for a call about a node without a name.
func noNode(op string) error {
	return emqxhttp.Invalid(op, "node", "is empty; give the name of a node, e.g. emqx@10.0.0.1")
}
