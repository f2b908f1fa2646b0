package emqxv4

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Describe queries the members and, as far as they are needed and the broker has them,
// counters, license and the answering node's name.
func (b *broker) Describe(ctx context.Context) (ecp.Description, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	return b.describe(ctx)
}

// describe is Describe within the time of another call.
func (b *broker) describe(ctx context.Context) (ecp.Description, error) {
	members, err := b.members(ctx)
	if err != nil {
		return ecp.Description{}, err
	}
	d := ecp.Description{Nodes: make([]ecp.BrokerNode, 0, len(members))}
	counted := b.counters(ctx, members)
	for _, m := range members {
		d.Nodes = append(d.Nodes, m.node(counted[m.name()]))
	}
	b.client.Optional(ctx, "its license", func(ctx context.Context) (err error) {
		d.Edition, d.Limit, err = b.edition(ctx)
		return err
	})
	if d, err = b.client.Complete(ctx, d, b.self); err != nil {
		return ecp.Description{}, err
	}
	b.known.Store(d)
	return d, nil
}

// members queries the nodes. The broker does not list a member that is stopped, or crashes
// over it. The latter is known from 4.4's public source, but not from recordings; /brokers
// then still lists the running members. Neither call names the stopped ones, so a caller
// that must know them has to keep a list.
//
// A member that hangs makes both calls hang. Then those members whose names are known are
// queried one by one.
func (b *broker) members(ctx context.Context) ([]member, error) {
	members, err := emqxhttp.Hedged(ctx, b.listedMembers, b.eachMember)
	if err == nil {
		names := make([]string, len(members))
		for i, m := range members {
			names[i] = m.name()
		}
		b.known.StoreNames(names)
	}
	return members, err
}

// names returns the names of the members that are known without the broker's list: from an
// earlier list, and from the caller. The name of the answering node alone is not enough: it
// would pass for the whole cluster.
func (b *broker) names() []string {
	names := slices.Concat(b.known.Names(), b.client.Nodes())
	slices.Sort(names)
	return slices.Compact(names)
}

// eachMember queries the members by name.
func (b *broker) eachMember(ctx context.Context) ([]member, error) {
	names := b.names()
	if len(names) == 0 {
		return nil, b.client.Fail(ecp.CodeUnavailable, "did not list its members in time, and their names are "+
			"not known "+
			"otherwise", nil)
	}
	all := b.queryMembers(ctx, names)
	if len(emqxhttp.Unanswered(all)) == 0 && all[0].Err != nil {
		return nil, all[0].Err // none answers
	}
	members := make([]member, len(all))
	for i, m := range all {
		if members[i] = m.Value; m.Err != nil {
			members[i] = member{Node: m.Name, Error: emqxhttp.Message("the node that was asked gets no answer from it")}
		}
	}
	return slices.DeleteFunc(members, func(m member) bool { return m.Status == "" && m.Error == "" }), nil
}

// queryMembers queries nodes by name.
func (b *broker) queryMembers(ctx context.Context, names []string) []emqxhttp.MemberAnswer[member] {
	return emqxhttp.EachMember(ctx, names, func(ctx context.Context, name string) (member, error) {
		c := get(ofNode(name, ""), requirement{})
		m, err := query(ctx, b, c, func(data []byte) (m member, err error) {
			err = json.Unmarshal(data, &m)
			return m, err
		})
		if errors.Is(err, ecp.ErrUnsupported) { // it is not a member
			return member{}, nil
		}
		return m, err
	})
}

// unanswered returns the names of the members that do not answer.
func (b *broker) unanswered(ctx context.Context) []string {
	return emqxhttp.Unanswered(b.queryMembers(ctx, b.names()))
}

// ofAllMembers makes a query about all members that no single member can answer.
func ofAllMembers[T any](ctx context.Context, b *broker, question func(context.Context) (T, error)) (T, error) {
	return emqxhttp.GiveUpOnHanging(ctx, b.client, b.unanswered, question)
}

// listedMembers queries the list of members.
func (b *broker) listedMembers(ctx context.Context) ([]member, error) {
	c := get(nodesPath, requirement{})
	c.MaxAnswer = maxFigures
	a, err := b.client.Do(ctx, c.Request)
	if err != nil {
		return nil, err
	}
	if a.Status == http.StatusInternalServerError {
		if brokers, err := b.client.Do(ctx, emqxhttp.Request{Path: brokersPath, MaxAnswer: maxFigures}); err == nil &&
			brokers.OK() {
			a = brokers
		}
	}
	if a.Status == http.StatusNotFound && b.client.AnswersLikeEMQX(ctx, newerPath) {
		return nil, b.client.Fail(ecp.CodeUnsupported, "an EMQX 5 or later answers there", nil)
	}
	data, err := b.payload(ctx, c, a)
	if err != nil {
		return nil, err
	}
	members, err := decodeMembers(data)
	if err != nil {
		return nil, b.client.Unreadable(a, err)
	}
	return members, nil
}

// counters returns the counters of each node, if the list of members lacks some.
func (b *broker) counters(ctx context.Context, members []member) map[string]counters {
	if !slices.ContainsFunc(members, member.uncounted) {
		return nil
	}
	found := map[string]counters{}
	b.client.Optional(ctx, "its counters", func(ctx context.Context) error {
		all, err := query(ctx, b, get(statsPath, requirement{}), decodeFigures[counters](statsOfAll.key))
		for _, f := range all {
			found[f.node] = f.data
		}
		return err
	})
	return found
}

// edition returns edition and limit. Only the Enterprise edition has a license. If that
// call does not exist, the broker's description of itself decides.
func (b *broker) edition(ctx context.Context) (edition string, limit int, err error) {
	a, err := b.client.Get(ctx, licensePath)
	if err != nil {
		return "", 0, err
	}
	if a.Status == http.StatusNotFound {
		edition, err = query(ctx, b, get(brokersPath, requirement{}), decodeEdition)
		return edition, 0, err
	}
	data, err := b.payload(ctx, get(licensePath, requirement{}), a)
	if err != nil {
		return "", 0, err
	}
	l, err := decodeLicense(data)
	if err != nil {
		return "", 0, b.client.Unreadable(a, err)
	}
	return ecp.EditionEnterprise, l.limit(), nil
}

// self returns the name of the node that answers. It returns "" on ports other than 8081,
// which lack the call.
func (b *broker) self(ctx context.Context) (string, error) {
	a, err := b.client.Do(ctx, emqxhttp.Request{
		Path: statusPath, NoAuth: true, NoRetry: []int{http.StatusServiceUnavailable},
	})
	if err != nil {
		return "", err
	}
	node, _, _ := emqxhttp.StatusPage(string(a.Body))
	return node, nil
}
