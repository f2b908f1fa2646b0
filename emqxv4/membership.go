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
	invitePatience = 6                      // times the patience of other calls: the node restarts
	inviteInterval = 500 * time.Millisecond // between looks whether it has joined
	mostMisses     = 3                      // looks in a row that may fail
)

// InviteMember invites a node and waits until it is listed.
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
		needs: inviting, already: memberAlready, wrong: "make sure that " + node + " runs, has the same cookie and can be reached from the node that was asked",
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

// joined waits until a node is listed. That members cannot be asked meanwhile
// is no failure: they are getting to know each other.
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
			return b.client.Fail(ecp.CodeUnavailable, "it invited "+node+", which has not joined in time; its log says why", errors.Join(ctx.Err(), err))
		case misses == mostMisses, err != nil && ecp.CodeOf(err) != ecp.CodeUnavailable:
			return err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// runs says whether a node is a member that runs.
func (b *broker) runs(ctx context.Context, node string) (bool, error) {
	members, err := b.members(ctx)
	return slices.ContainsFunc(members, func(m member) bool {
		status, _ := emqxhttp.Status(m.Status, string(m.Error))
		return m.name() == node && status == ecp.NodeRunning
	}), err
}

// RemoveMember ends a membership, of a node that does not run. A node that the broker has never heard of is
// answered as an unknown call is: it is no member.
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
		needs: removing, node: node, already: memberNot,
		Request: emqxhttp.Request{Method: http.MethodDelete, Path: forceLeavePath + emqxhttp.Segment(node)},
	})
	if !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	listed, err := ask(ctx, b, get(listPath, always), decodeCalls)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(listed, func(l listedCall) bool { return l.Method == http.MethodDelete && l.below(forceLeavePath) }) {
		return b.client.Fail(ecp.CodeUnsupported, "it has no "+removing.what+"; "+removing.instead, nil)
	}
	return nil
}

// removable gives the error for a node that must stay a member. The one that
// answers is known by its name where the port tells it, else where it is the
// only member.
func (b *broker) removable(ctx context.Context, node string) error {
	members, err := b.members(ctx)
	if err != nil {
		return err
	}
	nodes := make([]ecp.BrokerNode, len(members))
	for i, m := range members {
		nodes[i] = m.node(counters{})
	}
	return b.client.Removable(ctx, nodes, node, func(ctx context.Context) (string, error) {
		if len(nodes) == 1 {
			return nodes[0].Name, nil
		}
		return b.self(ctx)
	})
}

// noNode gives the error for a call that is about a node and names none.
func noNode(op string) error {
	return invalid(op, "node", "is empty; give the name of a node, e.g. emqx@10.0.0.1")
}
