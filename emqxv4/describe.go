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

// Describe asks for the members; and for counters, licence and the answering
// node's name as far as they matter and the broker has them.
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
	b.client.Optional(ctx, "its licence", func(ctx context.Context) (err error) {
		d.Edition, d.Limit, err = b.edition(ctx)
		return err
	})
	if d, err = b.client.Complete(ctx, d, b.self); err != nil {
		return ecp.Description{}, err
	}
	b.known.Learn(d)
	return d, nil
}

// members asks for the nodes. A member that is stopped is not listed, or can
// make the call itself crash (4.4's public source says so, no recording does):
// /brokers then still lists those that run. Neither names those that do not:
// who has to know them keeps a list of its own.
//
// A member that hangs lets both hang: those whose names are known are then asked
// one by one.
func (b *broker) members(ctx context.Context) ([]member, error) {
	members, err := emqxhttp.Hedged(ctx, b.listedMembers, b.eachMember)
	if err == nil {
		names := make([]string, len(members))
		for i, m := range members {
			names[i] = m.name()
		}
		b.known.LearnNames(names)
	}
	return members, err
}

// names are those of the members as far as they are known without the broker's
// list: from an earlier one, and from the caller. That of the node that answers
// is not enough: it would pass for the whole cluster.
func (b *broker) names() []string {
	names := slices.Concat(b.known.Names(), b.client.Nodes())
	slices.Sort(names)
	return slices.Compact(names)
}

// eachMember asks for the members by name.
func (b *broker) eachMember(ctx context.Context) ([]member, error) {
	names := b.names()
	if len(names) == 0 {
		return nil, b.client.Fail(ecp.CodeUnavailable, "does not list its members in time, and nobody else has named them", nil)
	}
	all := b.askMembers(ctx, names)
	if len(emqxhttp.Missing(all)) == 0 && all[0].Err != nil {
		return nil, all[0].Err // none answers
	}
	members := make([]member, len(all))
	for i, m := range all {
		if members[i] = m.Says; m.Err != nil {
			members[i] = member{Node: m.Name, Error: emqxhttp.Words("the node that was asked gets no answer from it")}
		}
	}
	return slices.DeleteFunc(members, func(m member) bool { return m.Status == "" && m.Error == "" }), nil
}

// askMembers asks nodes by name what they are.
func (b *broker) askMembers(ctx context.Context, names []string) []emqxhttp.OfMember[member] {
	return emqxhttp.EachMember(ctx, names, func(ctx context.Context, name string) (member, error) {
		c := get(ofNode(name, ""), need{})
		m, err := ask(ctx, b, c, func(data []byte) (m member, err error) {
			err = json.Unmarshal(data, &m)
			return m, err
		})
		if errors.Is(err, ecp.ErrUnsupported) { // it is none of the members
			return member{}, nil
		}
		return m, err
	})
}

// silent names the members that do not answer.
func (b *broker) silent(ctx context.Context) []string {
	return emqxhttp.Missing(b.askMembers(ctx, b.names()))
}

// ofAll asks what is told of all members at once only.
func ofAll[T any](ctx context.Context, b *broker, question func(context.Context) (T, error)) (T, error) {
	return emqxhttp.Watched(ctx, b.client, b.silent, question)
}

// listedMembers asks for the members' list.
func (b *broker) listedMembers(ctx context.Context) ([]member, error) {
	c := get(nodesPath, need{})
	c.Most = mostFigures
	a, err := b.client.Do(ctx, c.Request)
	if err != nil {
		return nil, err
	}
	if a.Status == http.StatusInternalServerError {
		if brokers, err := b.client.Do(ctx, emqxhttp.Request{Path: brokersPath, Most: mostFigures}); err == nil && brokers.OK() {
			a = brokers
		}
	}
	if a.Status == http.StatusNotFound && b.client.Speaks(ctx, newerPath) {
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

// counters gives the counters of each node where the members' list lacks them.
func (b *broker) counters(ctx context.Context, members []member) map[string]counters {
	if !slices.ContainsFunc(members, member.uncounted) {
		return nil
	}
	found := map[string]counters{}
	b.client.Optional(ctx, "its counters", func(ctx context.Context) error {
		all, err := ask(ctx, b, get(statsPath, need{}), decodeFigures[counters](statsOfAll.key))
		for _, f := range all {
			found[f.node] = f.data
		}
		return err
	})
	return found
}

// edition gives edition and limit. Only the enterprise edition has a licence;
// where the call is missing, the broker's description of itself decides.
func (b *broker) edition(ctx context.Context) (edition string, limit int, err error) {
	a, err := b.client.Get(ctx, licensePath)
	if err != nil {
		return "", 0, err
	}
	if a.Status == http.StatusNotFound {
		edition, err = ask(ctx, b, get(brokersPath, need{}), decodeEdition)
		return edition, 0, err
	}
	data, err := b.payload(ctx, get(licensePath, need{}), a)
	if err != nil {
		return "", 0, err
	}
	l, err := decodeLicense(data)
	if err != nil {
		return "", 0, b.client.Unreadable(a, err)
	}
	return ecp.EditionEnterprise, l.limit(), nil
}

// self gives the name of the node that answers; "" where the port does not
// tell: the call is on 8081 only.
func (b *broker) self(ctx context.Context) (string, error) {
	a, err := b.client.Do(ctx, emqxhttp.Request{Path: statusPath, Open: true, Answers: []int{http.StatusServiceUnavailable}})
	if err != nil {
		return "", err
	}
	node, _, _ := emqxhttp.StatusPage(string(a.Body))
	return node, nil
}
